"""Handing out jobs to workers that die, hang, fail and come late: a crew of stand-ins, no clock."""

from collections import deque
from collections.abc import Callable, Iterable
from types import SimpleNamespace

import pytest

from imagic_lora import DeviceError, EditSettings, FitSettings, ModelError, OutputError
from imagic_lora.errors import heard_by
from imagic_lora.runs import dispatch
from imagic_lora.runs.dispatch import Dispatch, Finished, Lost, Message, Raised
from imagic_lora.runs.events import Fitted, Outcome, Ready, WorkEvent
from imagic_lora.runs.jobs import Job
from imagic_lora.runs.places import Input
from imagic_lora.runs.rows import Row
from imagic_lora.settings import WorkerSettings

DIES, HANGS, PREEMPTED = Lost(), "hangs", Lost(preempted=True)
Plan = Callable[[Row, int], object]


def _job(key: str, *ids: str) -> Job:
    """Return a job of some rows."""
    rows = tuple(
        Row(
            line=1,
            id=each,
            image=Input("cat.png", key),
            target="a cat",
            alpha=1.0,
            fit=FitSettings(),
            edit=EditSettings(),
        )
        for each in ids
    )
    return Job(key=key, target="a cat", rows=rows)


class _Crew:
    """Workers that do as they are told: of each row, whether it kills, hangs or is done.

    Args:
        plan: What becomes of a row at the n-th time that it is begun, from 1; None is done.
        loading: What the first workers say instead of being ready.
    """

    def __init__(self, plan: Plan = lambda *_: None, loading: Iterable[Message] = ()) -> None:
        self._plan, self._loading = plan, deque(loading)
        self._said: deque[tuple[str, Message]] = deque()
        self._times: dict[str, int] = {}
        self.started: list[str] = []
        self.killed: list[str] = []
        self.given: list[tuple[str, tuple[str, ...]]] = []

    def start(self) -> None:
        name = f"w{len(self.started)}"
        self.started.append(name)
        ready = Ready(
            worker=name, device="cpu", host="here", process=1, base_model="tiny", fingerprint="f"
        )
        self._said.append((name, self._loading.popleft() if self._loading else ready))

    def give(self, worker: str, job: Job) -> None:
        assert worker not in self.killed
        self.given.append((worker, tuple(row.id for row in job.rows)))
        for number, row in enumerate(job.rows):
            self._times[row.id] = self._times.get(row.id, 0) + 1
            ending = self._plan(row, self._times[row.id])
            if number == 0 and ending != "dies in the fit":
                fitted = Fitted(worker=worker, adapter=row.adapter, seconds=1.0)
                self._said.append((worker, fitted))
            if isinstance(ending, Exception):
                self._said.append((worker, Raised(ending)))
                return
            if ending is not None:
                if ending != HANGS:
                    lost = ending if isinstance(ending, Lost) else DIES
                    self._said.append((worker, lost))
                return
            self._said.append((worker, Outcome(id=row.id, status="ok", worker=worker)))
        self._said.append((worker, Finished()))

    def kill(self, worker: str) -> None:
        self.killed.append(worker)

    def messages(self, seconds: float) -> Iterable[tuple[str, Message]]:
        assert seconds > 0
        if self._said:
            yield self._said.popleft()


def _done(crew: _Crew, *jobs: Job, workers: int = 2) -> dict[str, tuple[str, int]]:
    """Have jobs done and return how each row ended, and after how many tries."""
    told: list[WorkEvent] = []
    Dispatch(crew, WorkerSettings(workers=workers), told.append).do(jobs, workers)
    outcomes = [each for each in told if isinstance(each, Outcome)]
    ended: dict[str, tuple[str, int]] = {each.id: (each.status, each.tries) for each in outcomes}
    assert len(outcomes) == len(ended) == sum(len(job.rows) for job in jobs)
    return ended


def test_every_row_ends_once() -> None:
    """No more workers are asked for than there are jobs, and each takes one job after another."""
    crew = _Crew()

    ended = _done(crew, _job("x", "a", "b"), _job("y", "c"), workers=8)

    assert {"a": ("ok", 1), "b": ("ok", 1), "c": ("ok", 1)} == ended
    assert ["w0", "w1"] == crew.started
    assert {("a", "b"), ("c",)} == {rows for _, rows in crew.given}


def test_a_job_goes_on_with_another_worker() -> None:
    """What was done by the one that died is kept, and the rest is tried again."""
    crew = _Crew(lambda row, time: DIES if (row.id, time) == ("b", 1) else None)

    ended = _done(crew, _job("x", "a", "b", "c"), _job("y", "d"))

    assert {"a": ("ok", 1), "b": ("ok", 2), "c": ("ok", 1), "d": ("ok", 1)} == ended
    assert ("b", "c") in {rows for _, rows in crew.given}
    assert 3 == len(crew.started)


def test_a_row_that_always_kills_is_given_up() -> None:
    """After its tries it ends as died, and the other rows of its fit are done."""
    ended = _done(_Crew(lambda row, _: DIES if row.id == "b" else None), _job("x", "a", "b", "c"))

    assert {"a": ("ok", 1), "b": ("died", 2), "c": ("ok", 1)} == ended


def test_a_fit_that_always_kills_takes_its_rows_with_it() -> None:
    """Nobody tries each edit of what cannot be fitted."""
    crew = _Crew(lambda row, _: "dies in the fit" if row.id in "ab" else None)

    ended = _done(crew, _job("x", "a", "b"), _job("y", "c"))

    assert {"a": ("died", 2), "b": ("died", 2), "c": ("ok", 1)} == ended


def test_one_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a word for the time limit, a worker is killed, and its row tried again."""
    now = iter(range(0, 10**9, 60))
    monkeypatch.setattr(dispatch, "time", SimpleNamespace(monotonic=lambda: next(now)))
    crew = _Crew(lambda row, _: HANGS if row.id == "a" else None)

    ended = _done(crew, _job("x", "a", "b"), workers=1)

    assert {"a": ("timeout", 2), "b": ("ok", 1)} == ended
    assert ["w0", "w1"] == crew.killed


def test_a_machine_that_is_taken_away_is_nobodys_fault() -> None:
    """However often that happens, the row is done in the end."""
    crew = _Crew(lambda _, time: PREEMPTED if time < 6 else None)

    assert {"a": ("ok", 1)} == _done(crew, _job("x", "a"))


def test_a_gpu_that_is_too_small_takes_no_part() -> None:
    """The others do its share, and it is said."""
    heard: list[str] = []

    with heard_by(heard.append):
        ended = _done(_Crew(loading=[Raised(DeviceError("Too small."))]), *_jobs(3))

    assert {"0": ("ok", 1), "1": ("ok", 1), "2": ("ok", 1)} == ended
    assert ["w0 takes no part: Too small."] == heard


def test_a_model_that_nobody_can_load_ends_the_run() -> None:
    """Where no worker is left, the last one's reason is the run's."""
    missing = Raised(ModelError("No such model."))

    with heard_by(lambda _: None), pytest.raises(ModelError, match="No such model"):
        _done(_Crew(loading=[missing, missing]), *_jobs(3))


def test_workers_that_die_while_they_load_are_not_started_for_ever() -> None:
    """Three in a row are enough to know."""
    with pytest.raises(ModelError, match="3 workers in a row died"):
        _done(_Crew(loading=[DIES] * 9), *_jobs(3))

    assert 3 == len(_done(_Crew(loading=[DIES, DIES]), *_jobs(3)))


def test_what_cannot_be_written_ends_the_run() -> None:
    """A full disk is no row's fault."""
    crew = _Crew(lambda row, _: OutputError("full") if row.id == "1" else None)

    with pytest.raises(OutputError, match="full"):
        _done(crew, *_jobs(3))


def _jobs(count: int) -> list[Job]:
    """Return jobs of a row each."""
    return [_job(str(n), str(n)) for n in range(count)]
