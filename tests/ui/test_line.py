import threading
from collections.abc import Callable, Iterator

import pytest

from imagic_lora.ui.jobs.queue import Job, View
from imagic_lora.ui.workspace import Workspace
from tests.support.visitor import Visitor

MINE, YOURS = "a" * 32, "b" * 32


@pytest.fixture
def busy(workspace: Workspace) -> Iterator[Callable[[str, str], Job]]:
    """Give a function that puts a job into the line, which lasts until it is stopped."""
    gate, jobs = threading.Event(), []

    def work(job: Job) -> None:
        while not gate.wait(0.01):
            job.check()

    def submit(title: str, owner: str) -> Job:
        jobs.append(workspace.jobs.submit(work, title=title, owner=owner))
        return jobs[-1]

    yield submit
    gate.set()
    for job in jobs:
        list(workspace.jobs.watch(job))


def test_every_tab_of_a_browser_sees_its_jobs_and_ends_them(
    visit: Callable[..., Visitor], workspace: Workspace, busy: Callable[[str, str], Job]
) -> None:
    """A job whose tab was closed is found and ended from another tab of the same browser."""
    first, second = busy("a <b>fox</b>", MINE), busy("a dog", MINE)
    page = visit(browser=MINE)
    assert "a &lt;b&gt;fox" in page.text("jobs")
    assert "in line, 1 before it" in page.text("jobs")

    page.fill(jobs_key=second.key)
    page.do("jobs-cancel")
    assert "a dog" not in page.text("jobs")
    page.fill(jobs_key=first.key)
    page.do("jobs-cancel")
    list(workspace.jobs.watch(first))
    page.do("jobs-look")
    assert "" == page.text("jobs")


def test_nobody_reads_or_ends_the_jobs_of_others(
    visit: Callable[..., Visitor], busy: Callable[[str, str], Job]
) -> None:
    """Others' jobs are counted; what they are is not told, and whoever guesses a key ends nothing."""
    running, waiting = busy("a secret", YOURS), busy("another secret", YOURS)
    page = visit(browser=MINE)
    for job in (running, waiting):
        page.fill(jobs_key=job.key)
        page.do("jobs-cancel")

    assert "Another visitor&#x27;s job" in page.text("jobs")
    assert "1 job of others" in page.text("jobs")
    assert "secret" not in page.text("jobs")
    assert [False, False] == [job.stopping for job in (running, waiting)]


def test_a_second_press_begins_nothing_while_a_run_goes_on(
    visitor: Visitor,
    workspace: Workspace,
    busy: Callable[[str, str], Job],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who presses Enter in a page that was loaded anew sees the run that is under way."""
    session, watch = workspace.sessions.get(visitor.page), workspace.jobs.watch
    session.jobs["edit"] = job = busy("a cat", session.visitor)

    def watch_to_the_end(watched: Job) -> Iterator[View]:
        workspace.jobs.stop(job)
        return watch(watched)

    monkeypatch.setattr(workspace.jobs, "watch", watch_to_the_end)
    visitor.do("target", "submit")

    assert job is session.jobs["edit"]
    assert "Stopped" in visitor.text("edit-status")
