import threading
from collections.abc import Callable, Iterator

import pytest

from imagic_lora.errors import FitError, warn
from imagic_lora.ui.jobs.queue import Job, JobQueue, View


@pytest.fixture
def queue() -> Iterator[JobQueue]:
    """Give a queue that is closed at the end, so that no thread is left behind."""
    queue = JobQueue()
    yield queue
    queue.close()


def last(queue: JobQueue, job: Job) -> View:
    """Return what is to be seen of a job once it is over."""
    *_, view = queue.watch(job)
    return view


def waiting_for(gate: threading.Event) -> Callable[[Job], None]:
    """Return work that lasts until a gate is opened."""

    def work(_: Job) -> None:
        gate.wait()

    return work


def test_jobs_are_done_one_at_a_time_in_order(queue: JobQueue) -> None:
    """Two people never share the device, and who came first is served first."""
    order: list[str] = []
    gate = threading.Event()

    def first(_: Job) -> None:
        gate.wait()
        order.append("first")

    jobs = [queue.submit(first), queue.submit(lambda _: order.append("second"))]
    waiting = next(queue.watch(jobs[1]))
    gate.set()
    for job in jobs:
        last(queue, job)

    assert ["first", "second"] == order
    assert 1 == waiting.before


def test_who_waits_sees_the_line_move(queue: JobQueue) -> None:
    """A waiting job tells how many come before it, down to none."""
    gates = [threading.Event(), threading.Event()]
    for gate in gates:
        queue.submit(waiting_for(gate))
    job = queue.submit(lambda job: job.post("made"))
    watching = queue.watch(job)

    seen = [next(watching).before]
    gates[0].set()
    seen.append(next(watching).before)
    gates[1].set()
    *_, final = watching

    assert [2, 1] == seen
    assert ("made", True) == (final.state, final.done)


def test_a_job_is_seen_again_by_who_comes_back(queue: JobQueue) -> None:
    """A page that is loaded anew finds what its job has made."""
    job = queue.submit(lambda job: job.post("made"))
    last(queue, job)

    assert "made" == last(queue, job).state


def test_a_stop_keeps_what_was_posted(queue: JobQueue) -> None:
    """A job that is told to stop ends without an error, and its state stays."""
    posted = threading.Event()

    def work(job: Job) -> None:
        job.post("some")
        posted.set()
        while True:
            job.check()

    job = queue.submit(work)
    posted.wait()
    queue.stop(job)
    view = last(queue, job)

    assert ("some", "", True) == (view.state, view.error, view.done)


def test_a_job_that_is_stopped_in_line_never_begins(queue: JobQueue) -> None:
    """Who changes their mind while waiting is out of the line at once, and costs nobody anything."""
    gate, begun = threading.Event(), threading.Event()
    queue.submit(waiting_for(gate))
    job = queue.submit(lambda _: begun.set())
    behind = queue.submit(lambda _: None)
    watching = queue.watch(behind)

    assert 2 == next(watching).before
    queue.stop(job)
    view = last(queue, job)  # while the first is still running
    assert (True, False) == (view.done, view.begun)
    assert 1 == next(watching).before
    gate.set()
    last(queue, behind)
    assert not begun.is_set()


def test_our_errors_are_shown_as_they_are(queue: JobQueue) -> None:
    """An error of the library is one sentence for people."""

    def work(_: Job) -> None:
        raise FitError("The loss became nan.")

    assert "The loss became nan." == last(queue, queue.submit(work)).error


def test_a_bug_is_no_traceback_for_visitors(
    queue: JobQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    """What failed unforeseen is told without details, which go to the terminal; the next job runs."""

    def work(_: Job) -> None:
        raise KeyError("/secret/path")

    view = last(queue, queue.submit(work))

    assert "secret" not in view.error
    assert "terminal" in view.error
    assert "KeyError: '/secret/path'" in capsys.readouterr().err
    assert "next" == last(queue, queue.submit(lambda job: job.post("next"))).state


def test_warnings_become_notes(queue: JobQueue) -> None:
    """What the library warns of is shown once, and belongs to the job that it came from."""

    def work(job: Job) -> None:
        for _ in range(2):
            warn("the ends are cropped")
        job.post("made")

    assert ("the ends are cropped",) == last(queue, queue.submit(work)).notes


def test_closing_lets_the_running_job_keep_what_it_has() -> None:
    """When the program ends, the running job ends as a stopped one does."""
    queue, kept = JobQueue(), threading.Event()
    begun = threading.Event()

    def work(job: Job) -> None:
        begun.set()
        while not job.stopping:
            pass
        kept.set()

    queue.submit(work)
    begun.wait()
    queue.close()

    assert kept.is_set()
