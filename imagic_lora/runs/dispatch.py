"""Handing out jobs to workers that come, hang, die and are replaced.

A job goes only to a worker that is ready, one at a time, so that whoever is fast does more. Knows
nothing of what the workers are: that is a crew's.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from imagic_lora.errors import ImagicError, ModelError, warn
from imagic_lora.runs.events import Fitted, Outcome, Ready, Status, WorkEvent
from imagic_lora.runs.jobs import Job
from imagic_lora.runs.rows import Row
from imagic_lora.settings import WorkerSettings

_STILLBORN = 3
"""Workers that die one after another while they load the model, before that is taken for a rule."""

_PATIENCE = 1.0
"""Seconds to wait for a message before it is looked whether somebody hangs."""


@dataclass(frozen=True)
class Finished:
    """The worker is done with its job."""


@dataclass(frozen=True)
class Raised:
    """The worker is there, and what it was asked for failed as a whole."""

    error: Exception


@dataclass(frozen=True)
class Lost:
    """The worker is gone.

    Attributes:
        preempted: Whether its machine was taken away, which no job is to blame for.
    """

    preempted: bool = False


Message = WorkEvent | Finished | Raised | Lost


class Crew(Protocol):
    """Workers, by names."""

    def start(self) -> None:
        """Ask for one more worker, which says that it is ready when it is."""

    def give(self, worker: str, job: Job) -> None:
        """Have a job done by a worker that is ready."""

    def kill(self, worker: str) -> None:
        """End a worker at once; it is not heard of any more."""

    def messages(self, seconds: float) -> Iterable[tuple[str, Message]]:
        """Return what workers say, each by its name, within a time."""


@dataclass
class _Task:
    """A job that a worker is at, and the rows of it that have not ended."""

    job: Job
    rows: dict[str, Row]
    heard: float
    fitted: bool = False


class Dispatch:
    """Has jobs done by a crew.

    Args:
        crew: The workers.
        settings: How many, and what becomes of those that die or hang.
        tell: Takes what happens.
    """

    def __init__(
        self, crew: Crew, settings: WorkerSettings, tell: Callable[[WorkEvent], None]
    ) -> None:
        self._crew, self._settings, self._tell = crew, settings, tell
        self._waiting: deque[Job] = deque()
        self._idle: list[str] = []
        self._busy: dict[str, _Task] = {}
        self._loading = 0
        self._stillborn = 0
        self._blames: Counter[str] = Counter()

    def do(self, jobs: Sequence[Job], workers: int) -> None:
        """Have jobs done; each of their rows ends as one outcome.

        Args:
            jobs: The jobs.
            workers: How many to have at the same time, at most.

        Raises:
            OutputError: When a worker cannot write.
            ImagicError: When no worker can load the model.
        """
        self._waiting.extend(jobs)
        for _ in range(min(workers, len(jobs))):
            self._start()
        while self._waiting or self._busy:
            for worker, message in self._crew.messages(_PATIENCE):
                self._hear(worker, message)
            self._end_hanging()
            while self._idle and self._waiting:
                self._hand_out(self._idle.pop(0), self._waiting.popleft())

    def _start(self) -> None:
        """Ask for one more worker."""
        self._loading += 1
        self._crew.start()

    def _hand_out(self, worker: str, job: Job) -> None:
        """Give a job to a worker."""
        self._busy[worker] = _Task(job, {row.id: row for row in job.rows}, time.monotonic())
        self._crew.give(worker, job)

    def _hear(self, worker: str, message: Message) -> None:
        """Take what a worker says."""
        if isinstance(message, Ready):
            self._loading, self._stillborn = self._loading - 1, 0
            self._idle.append(worker)
            self._tell(message)
        elif isinstance(message, Raised):
            self._fail(worker, message.error)
        elif isinstance(message, Lost):
            self._replace(worker, "died", blame=not message.preempted)
        elif isinstance(message, Finished):
            del self._busy[worker]
            self._idle.append(worker)
        else:
            self._pass_on(self._busy[worker], message)

    def _pass_on(self, task: _Task, event: WorkEvent) -> None:
        """Tell what comes of a job."""
        task.heard = time.monotonic()
        if isinstance(event, Fitted):
            task.fitted = True
        if isinstance(event, Outcome):
            del task.rows[event.id]
            event = replace(event, tries=self._blames[event.id] + 1)
        self._tell(event)

    def _fail(self, worker: str, error: Exception) -> None:
        """Go on without a worker that cannot load the model, or stop if nobody can."""
        if worker in self._busy or not isinstance(error, ImagicError):
            raise error
        self._loading -= 1
        if not (self._loading or self._idle or self._busy):
            raise error
        warn(f"{worker} takes no part: {error}")

    def _replace(self, worker: str, status: Status, *, blame: bool) -> None:
        """Start another worker in place of one that is gone, and see to its job."""
        task = self._busy.pop(worker, None)
        if task is not None:
            self._return(task, status, blame=blame)
        elif worker in self._idle:
            self._idle.remove(worker)
        else:
            self._loading -= 1
            self._stillborn += blame
            if self._stillborn == _STILLBORN:
                raise ModelError(
                    f"{_STILLBORN} workers in a row died while they loaded the model; look whether "
                    "the machine has the memory for it, or ask for fewer workers."
                )
        if len(self._waiting) > self._loading + len(self._idle):
            self._start()

    def _return(self, task: _Task, status: Status, *, blame: bool) -> None:
        """Put back what is left of a job, without the rows that were tried often enough."""
        rows = tuple(task.rows.values())
        if not rows:
            return
        self._blames[rows[0].id] += blame
        if self._blames[rows[0].id] >= self._settings.tries:
            # Before the fit is there, whatever kills it is shared by all of its edits.
            ended = rows[:1] if task.fitted else rows
            for row in ended:
                self._tell(self._ended(row, status, self._blames[rows[0].id]))
            rows = rows[len(ended) :]
        if rows:
            self._waiting.appendleft(replace(task.job, rows=rows))

    def _ended(self, row: Row, status: Status, tries: int) -> Outcome:
        """Return the outcome of a row that no worker came back from."""
        minutes = f"{self._settings.time_limit:g} minutes"
        why = "its worker was killed" if status == "died" else f"nothing was heard for {minutes}"
        return Outcome(
            id=row.id,
            status=status,
            message=f"{why}, {tries} times.",
            tries=tries,
            adapter=row.adapter,
            notes=row.notes,
        )

    def _end_hanging(self) -> None:
        """End the workers that were not heard of for too long."""
        since = time.monotonic() - 60 * self._settings.time_limit
        for worker in [name for name, task in self._busy.items() if task.heard < since]:
            self._crew.kill(worker)
            self._replace(worker, "timeout", blame=True)
