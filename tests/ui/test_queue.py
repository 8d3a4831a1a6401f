import threading
import warnings
from collections.abc import Callable, Iterator

import pytest

from imagic_lora.errors import FitError, ImagicWarning
from imagic_lora.ui.jobs.queue import Desk, Job, View


@pytest.fixture
def desk() -> Iterator[Desk]:
    """Give a desk that is closed at the end, so that no thread is left behind."""
    desk = Desk()
    yield desk
    desk.close()


def last(desk: Desk, job: Job) -> View:
    """Return what is to be seen of a job once it is over."""
    *_, view = desk.watch(job)
    return view


def waiting_for(gate: threading.Event) -> Callable[[Job], None]:
    """Return work that lasts until a gate is opened."""

    def work(_: Job) -> None:
        gate.wait()

    return work


def test_jobs_are_done_one_at_a_time_in_order(desk: Desk) -> None:
    """Two people never share the device, and who came first is served first."""
    order: list[str] = []
    gate = threading.Event()

    def first(_: Job) -> None:
        gate.wait()
        order.append("first")

    jobs = [desk.submit(first), desk.submit(lambda _: order.append("second"))]
    waiting = next(desk.watch(jobs[1]))
    gate.set()
    for job in jobs:
        last(desk, job)

    assert ["first", "second"] == order
    assert 1 == waiting.before


def test_who_waits_sees_the_line_move(desk: Desk) -> None:
    """A waiting job tells how many come before it, down to none."""
    gates = [threading.Event(), threading.Event()]
    for gate in gates:
        desk.submit(waiting_for(gate))
    job = desk.submit(lambda job: job.post("made"))
    watching = desk.watch(job)

    seen = [next(watching).before]
    gates[0].set()
    seen.append(next(watching).before)
    gates[1].set()
    *_, final = watching

    assert [2, 1] == seen
    assert ("made", True) == (final.state, final.done)


def test_a_job_is_seen_again_by_who_comes_back(desk: Desk) -> None:
    """A page that is loaded anew finds what its job has made."""
    job = desk.submit(lambda job: job.post("made"))
    last(desk, job)

    assert "made" == last(desk, job).state


def test_a_stop_keeps_what_was_posted(desk: Desk) -> None:
    """A job that is told to stop ends without an error, and its state stays."""
    posted = threading.Event()

    def work(job: Job) -> None:
        job.post("some")
        posted.set()
        while True:
            job.check()

    job = desk.submit(work)
    posted.wait()
    job.stop()
    view = last(desk, job)

    assert ("some", "", True) == (view.state, view.error, view.done)


def test_a_job_that_is_stopped_in_line_never_begins(desk: Desk) -> None:
    """Who changes their mind while waiting costs nobody anything."""
    gate, begun = threading.Event(), threading.Event()
    desk.submit(waiting_for(gate))
    job = desk.submit(lambda _: begun.set())
    job.stop()
    gate.set()
    last(desk, job)

    assert not begun.is_set()


def test_our_errors_are_shown_as_they_are(desk: Desk) -> None:
    """An error of the library is one sentence for people."""

    def work(_: Job) -> None:
        raise FitError("The loss became nan.")

    assert "The loss became nan." == last(desk, desk.submit(work)).error


def test_a_bug_is_no_traceback_for_visitors(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """What failed unforeseen is told without details, which go to the terminal; the next job runs."""

    def work(_: Job) -> None:
        raise KeyError("/secret/path")

    view = last(desk, desk.submit(work))

    assert "secret" not in view.error
    assert "terminal" in view.error
    assert "KeyError: '/secret/path'" in capsys.readouterr().err
    assert "next" == last(desk, desk.submit(lambda job: job.post("next"))).state


def test_warnings_become_notes(desk: Desk) -> None:
    """What the library warns of is shown once, and belongs to the job that it came from."""

    def work(job: Job) -> None:
        for _ in range(2):
            warnings.warn("the ends are cropped", ImagicWarning, stacklevel=1)
        job.post("made")

    assert ("the ends are cropped",) == last(desk, desk.submit(work)).notes


def test_closing_lets_the_running_job_keep_what_it_has() -> None:
    """When the program ends, the running job ends as a stopped one does."""
    desk, kept = Desk(), threading.Event()
    begun = threading.Event()

    def work(job: Job) -> None:
        begun.set()
        while not job.stopping:
            pass
        kept.set()

    desk.submit(work)
    begun.wait()
    desk.close()

    assert kept.is_set()
