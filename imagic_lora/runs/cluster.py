"""A crew of Ray actors, on this machine or on a cluster: one for each GPU, which loads the model once.

The only importer of ray. Nothing that Ray holds is needed to go on after it: the files are the
truth.
"""

import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import torch

from imagic_lora.errors import DeviceError, MissingExtraError
from imagic_lora.runs.dispatch import Dispatch, Finished, Lost, Message, Raised
from imagic_lora.runs.events import Ready, Step, WorkEvent
from imagic_lora.runs.jobs import Job
from imagic_lora.runs.work import Worker
from imagic_lora.settings import WorkerSettings

if TYPE_CHECKING:
    from imagic_lora.editor import ImagicEditor

_STORE = 80 * 2**20
"""Bytes of Ray's shared memory, near its least: only small values pass through it."""

_STEP_SECONDS = 0.5
"""Least time between two steps of a worker that are sent."""


@dataclass(frozen=True)
class Cluster:
    """The engine of many GPUs.

    Attributes:
        load: Returns the editor, in the process of each worker.
        out: The folder of the run, which every worker sees.
        model: Name of the model, as it was asked for.
        settings: How many workers there are, and where.
    """

    load: Callable[[], "ImagicEditor"]
    out: Path
    model: str
    settings: WorkerSettings

    def __call__(self, jobs: Sequence[Job], tell: Callable[[WorkEvent], None]) -> None:
        """Have jobs done by the workers of a cluster."""
        with _connected(self.settings) as ray:
            gpus = int(ray.cluster_resources().get("GPU", 0))
            crew = _Actors(ray, (self.load, self.out.resolve(), self.model), on_gpus=gpus > 0)
            try:
                Dispatch(crew, self.settings, tell).do(jobs, self.settings.workers or gpus or 1)
            finally:
                crew.dismiss()


class _Actor:
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


class _Actors:
    """A crew of actors.

    Args:
        ray: The package.
        made_of: What an actor takes after its name.
        on_gpus: Whether each needs a GPU of its own.
    """

    def __init__(self, ray: Any, made_of: tuple[Any, ...], *, on_gpus: bool) -> None:
        self._ray, self._made_of = ray, made_of
        needs = {"num_gpus": 1} if on_gpus else {"num_cpus": 1}
        self._kind = ray.remote(max_restarts=0, max_task_retries=0, **needs)(_Actor)
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
        self._ray.kill(self._actors.pop(worker))

    def dismiss(self) -> None:
        """End all actors."""
        for worker in list(self._actors):
            with suppress(Exception):  # the cluster may be gone already
                self.kill(worker)

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
        except errors.RayActorError as error:
            self._actors.pop(self._names[ref], None)
            found = Lost(preempted=bool(getattr(error, "preempted", False)))
        del self._names[ref]
        return found


def _ray() -> Any:
    """Return the package, or raise what says how to install it."""
    try:
        import ray  # noqa: PLC0415  an extra
    except ImportError as error:
        raise MissingExtraError("ray", "ray", "a run with several workers") from error
    return ray


@contextmanager
def _connected(settings: WorkerSettings) -> Iterator[Any]:
    """Give Ray with a cluster for the length of a block: one of this machine, or one there is."""
    gpus = torch.cuda.device_count()
    how: dict[str, Any] = {"address": settings.ray}
    if not settings.ray:
        workers = settings.workers or gpus or 1
        if gpus and workers > gpus:
            raise DeviceError(f"{workers} workers were asked for, and there are {gpus} GPUs here.")
        how = {
            "address": "local",
            "num_cpus": max(workers, os.cpu_count() or 1),
            "include_dashboard": False,
            "object_store_memory": _STORE,
        }
    # Ray prints to the standard output of whoever started it, and takes over SIGTERM.
    with redirect_stdout(sys.stderr), _environment(local=not settings.ray), _signals():
        ray = _ray()
        ray.init(log_to_driver=False, logging_level="error", **how)
        try:
            yield ray
        finally:
            ray.shutdown()


@contextmanager
def _environment(*, local: bool) -> Iterator[None]:
    """Set what Ray reads from the environment, where nothing else was set, for a block.

    A cluster of this machine listens on every address, so nobody gets in without the token. Ray reads
    it when it is imported; where a program has done that before us, Ray makes a token of its own.
    """
    ours = "ray" not in sys.modules or _token.cache_info().currsize > 0
    wanted: dict[str, str] = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}
    if local and ours and "RAY_AUTH_MODE" not in os.environ:
        wanted |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": _token()}
    before: Mapping[str, str] = dict(os.environ)
    os.environ.update({name: value for name, value in wanted.items() if name not in before})
    try:
        yield
    finally:
        for name in wanted.keys() - before.keys():
            os.environ.pop(name, None)


@cache
def _token() -> str:
    """Return the secret of this process's clusters."""
    return secrets.token_hex(32)


@contextmanager
def _signals() -> Iterator[None]:
    """Put SIGTERM back to what it meant, in the thread that may."""
    mine = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if mine:
            signal.signal(signal.SIGTERM, before)
