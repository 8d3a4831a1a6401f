"""One job at a time: a queue of jobs, a thread that works it off, and what is seen of each.

Knows nothing of the page, nor of what the jobs do. A job that nobody watches any more goes on: its
page may come back.
"""

import secrets
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from imagic_lora.errors import ImagicError, heard_by

_PAUSE = 0.2
"""Seconds between two looks at a job, so that a quick one does not flood the page."""

_GOODBYE = 30
"""Seconds that the running job is given to end by itself when all is closed."""

_BUG = (
    "Something failed that should not have. What is known of it is in the terminal that the page "
    "was started from; please report it."
)


class Stopped(Exception):  # noqa: N818  it was asked for, it is no error
    """Ends a job that was told to stop; what it posted stays."""


@dataclass(frozen=True)
class View:
    """What is to be seen of a job at one moment.

    Attributes:
        before: How many jobs come before it: 0 once its turn has come.
        state: What the job posted last, or None.
        notes: What it warned of, each sentence once.
        error: Why it failed, or "".
        begun: Whether its turn has come.
        stopping: Whether it was told to stop.
        done: Whether it is over.
    """

    before: int
    state: Any
    notes: tuple[str, ...]
    error: str
    begun: bool
    stopping: bool
    done: bool


class Job:
    """A piece of work that waits, runs and ends; made by `JobQueue.submit`.

    Attributes:
        title: What it is called in the line.
        owner: What names whoever asked for it.
        key: What names it, as long as it is not over.
        share: Share of it that is done, 0 to 1.
    """

    def __init__(
        self, work: "Work", changed: threading.Condition, *, title: str = "", owner: str = ""
    ) -> None:
        self._work: Work | None = work
        self._changed = changed
        self.title, self.owner, self.key = title, owner, secrets.token_hex(8)
        self.share = 0.0
        self.state: Any = None
        self.notes: dict[str, None] = {}
        self.error = ""
        self.begun = False
        self.stopping = False
        self.done = False
        self.version = 0

    def post(self, state: Any, share: float = 0.0) -> None:
        """Let those who watch see how far the work is.

        Args:
            state: What they are to see.
            share: Share of the work that is done, 0 to 1.
        """
        with self._changed:
            self.state, self.share = state, share
            self.touch()

    def check(self) -> None:
        """Raise Stopped where the work was asked to end."""
        if self.stopping:
            raise Stopped

    def touch(self) -> None:
        """Wake those who watch; the caller holds the condition."""
        self.version += 1
        self._changed.notify_all()

    def run(self) -> None:
        """Do the work, and keep in words whatever goes wrong; what it worked with is let go of."""
        work, self._work = self._work, None
        try:
            self.check()
            with heard_by(lambda note: self.notes.update({note: None})):
                if work is not None:
                    work(self)
        except Stopped:
            pass
        except ImagicError as error:
            self.error = str(error)
        except Exception:  # noqa: BLE001  a bug in one job must not end all others
            traceback.print_exc()
            self.error = _BUG


Work = Callable[[Job], None]
"""What a job does; it is given the job, to post to and to check."""


class JobQueue:
    """The jobs that wait, and the one thread that does them in the order in which they came."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._open = True
        self._worker = threading.Thread(target=self._run, name="imagic-lora jobs", daemon=True)
        self._worker.start()

    def submit(self, work: Work, *, title: str = "", owner: str = "") -> Job:
        """Put a job at the end of the queue.

        Args:
            work: What to do.
            title: What it is called in the line.
            owner: What names whoever asks for it.
        """
        job = Job(work, self._changed, title=title, owner=owner)
        with self._changed:
            self._waiting.append(job)
            self._changed.notify_all()
        return job

    def over(self, state: Any) -> Job:
        """Return a job that has ended, of which only what it came to is left."""
        job = Job(lambda _: None, self._changed)
        job.state, job.begun, job.done = state, True, True
        return job

    def line(self) -> tuple[Job, ...]:
        """Return the jobs that are not over: the one whose turn it is, then those that wait."""
        with self._changed:
            return tuple(self._waiting)

    def watch(self, job: Job) -> Iterator[View]:
        """Yield what is to be seen of a job, whenever that changes, until it is over."""
        seen = -1
        while True:
            with self._changed:
                while job.version == seen:
                    self._changed.wait()
                seen, view = job.version, self._view(job)
            yield view
            if view.done:
                return
            time.sleep(_PAUSE)

    def stop(self, job: Job) -> None:
        """End a job: one that waits leaves the queue at once, one that runs keeps what it has."""
        with self._changed:
            if not job.done:
                job.stopping = True
                job.touch()
                if not job.begun:
                    self._leave(job)

    def close(self) -> None:
        """Stop every job, and wait for the running one to keep what it has."""
        with self._changed:
            self._open = False
            for job in tuple(self._waiting):
                self.stop(job)
            self._changed.notify_all()
        self._worker.join(_GOODBYE)

    def _view(self, job: Job) -> View:
        """Return what is to be seen of a job; the caller holds the condition."""
        before = 0 if job.done else self._waiting.index(job)
        return View(
            before, job.state, tuple(job.notes), job.error, job.begun, job.stopping, job.done
        )

    def _leave(self, job: Job) -> None:
        """Take a job that is over out of the queue; the caller holds the condition."""
        self._waiting.remove(job)
        job.done = True
        for each in (job, *self._waiting):
            each.touch()

    def _run(self) -> None:
        """Do one job after another until all is closed."""
        while True:
            with self._changed:
                while not self._waiting and self._open:
                    self._changed.wait()
                if not self._waiting:
                    return
                job = self._waiting[0]
                job.begun = True
            job.run()
            with self._changed:
                self._leave(job)
