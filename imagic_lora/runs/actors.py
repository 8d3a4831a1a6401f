"""A crew of Ray actors: a process for each GPU, which loads the model once.

Ray itself is handed in by the cluster.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from imagic_lora.runs.dispatch import Finished, Lost, Message, Raised
from imagic_lora.runs.events import Ready, Step, WorkEvent
from imagic_lora.runs.jobs import Job
from imagic_lora.runs.work import Worker

if TYPE_CHECKING:
    from imagic_lora.editor import ImagicEditor

_STEP_SECONDS = 0.5
"""Least time between two steps of a worker that are sent."""


class Actor:
    """A worker in a process of its own.

    Args:
        name: What it is called.
        load: Returns the editor.
        out: The folder of the run.
        model: Name of the model.
    """

    def __init__(
        self, name: str, load: Callable[[], "ImagicEditor"], out: Path, model: str
    ) -> None:
        self._name, self._load, self._out, self._model = name, load, out, model
        self._editor: ImagicEditor | None = None

    def ready(self) -> Ready:
        """Load the model and say who works."""
        self._editor = self._load()
        return self._worker(lambda _: None).ready()

    def do(self, job: Job) -> Iterator[WorkEvent]:
        """Do a job, and yield what happens while it happens."""
        said: SimpleQueue[WorkEvent | Exception | None] = SimpleQueue()

        def work() -> None:
            try:
                self._worker(said.put).do(job)
            except Exception as error:  # noqa: BLE001  it is raised by whoever listens
                said.put(error)
            said.put(None)

        threading.Thread(target=work, daemon=True).start()
        sent = 0.0
        while (event := said.get()) is not None:
            if isinstance(event, Exception):
                raise event
            if isinstance(event, Step):
                if time.monotonic() - sent < _STEP_SECONDS:
                    continue
                sent = time.monotonic()
            yield event

    def _worker(self, tell: Callable[[WorkEvent], None]) -> Worker:
        """Return the worker that tells what it does."""
        if self._editor is None:
            raise RuntimeError("a job was given to a worker that is not ready")
        return Worker(self._editor, self._out, self._model, self._name, tell)


class Actors:
    """A crew of actors.

    Args:
        ray: The package.
        made_of: What an actor takes after its name.
        on_gpus: Whether each needs a GPU of its own.
    """

    def __init__(self, ray: Any, made_of: tuple[Any, ...], *, on_gpus: bool) -> None:
        self._ray, self._made_of = ray, made_of
        needs = {"num_gpus": 1} if on_gpus else {"num_cpus": 1}
        self._kind = ray.remote(max_restarts=0, max_task_retries=0, **needs)(Actor)
        self._actors: dict[str, Any] = {}
        self._names: dict[Any, str] = {}
        self._count = 0

    def start(self) -> None:
        """Ask for one more actor; it stays pending until there is room for it."""
        name = f"worker {self._count}"
        self._count += 1
        self._actors[name] = self._kind.remote(name, *self._made_of)
        self._names[self._actors[name].ready.remote()] = name

    def give(self, worker: str, job: Job) -> None:
        """Have a job done."""
        self._names[self._actors[worker].do.remote(job)] = worker

    def kill(self, worker: str) -> None:
        """End an actor at once."""
        for ref in [ref for ref, name in self._names.items() if name == worker]:
            del self._names[ref]
        self._end(worker)

    def dismiss(self) -> None:
        """End all actors."""
        for worker in list(self._actors):
            self.kill(worker)

    def _end(self, worker: str) -> None:
        """End an actor that may be gone already, or out of reach for a while and then come back."""
        with suppress(Exception):
            self._ray.kill(self._actors.pop(worker))

    def messages(self, seconds: float) -> Iterator[tuple[str, Message]]:
        """Yield what actors say, within a time."""
        if not self._names:
            time.sleep(seconds)
            return
        spoken, _ = self._ray.wait(list(self._names), timeout=seconds)
        for ref in spoken:
            yield self._names[ref], self._message(ref)

    def _message(self, ref: Any) -> Message:
        """Return what came of a call: its next value, its end, or why there is none."""
        errors = self._ray.exceptions
        try:
            if isinstance(ref, self._ray.ObjectRefGenerator):
                event: WorkEvent = self._ray.get(next(ref))
                return event
            ready: Ready = self._ray.get(ref)
            found: Message = ready
        except StopIteration:
            found = Finished()
        except errors.RayTaskError as error:
            cause = error.cause
            found = Raised(cause if isinstance(cause, Exception) else error)
        except errors.RayError as error:
            self._end(self._names[ref])
            found = Lost(preempted=bool(getattr(error, "preempted", False)))
        del self._names[ref]
        return found
