"""The engine of many GPUs: a cluster of Ray, started on this machine or joined.

The only importer of ray. Nothing that Ray holds is needed to go on after it: the files are the
truth.
"""

import os
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from imagic_lora.errors import DeviceError, MissingExtraError, quoted
from imagic_lora.runs.actors import Actors
from imagic_lora.runs.dispatch import Dispatch
from imagic_lora.runs.events import WorkEvent
from imagic_lora.runs.jobs import Job
from imagic_lora.settings import WorkerSettings

if TYPE_CHECKING:
    from imagic_lora.editor import ImagicEditor

_STORE = 80 * 2**20
"""Bytes of Ray's shared memory, near its least: only small values pass through it."""

_STARTS = 3
"""How often a cluster of this machine is started anew that was not there in time.

Ray gives one of its processes half a minute and has no setting for that, which is too little where
all cores are at work; what it had to load is in memory the next time.
"""

_START_SECONDS, _JOIN_TRIES = "300", "1"
"""How long Ray waits for another of its processes, and how often it looks for the cluster of others.

Ray has one variable for both. By default it waits 30 s, and tries 20 times, each of which takes a
minute where nobody answers.
"""


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
            crew = Actors(ray, (self.load, self.out.resolve(), self.model), on_gpus=gpus > 0)
            try:
                Dispatch(crew, self.settings, tell).do(jobs, self.settings.workers or gpus or 1)
            finally:
                crew.dismiss()


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
        for left in reversed(range(1 if settings.ray else _STARTS)):
            try:
                ray.init(log_to_driver=False, logging_level="error", **how)
                break
            except Exception as error:
                ray.shutdown()
                if not left:
                    raise _no_cluster(settings, error) from error
        try:
            yield ray
        finally:
            ray.shutdown()


def _no_cluster(settings: WorkerSettings, error: Exception) -> DeviceError:
    """Return the error for a cluster that did not come about, whatever Ray raised for it."""
    reason = quoted((str(error).strip().splitlines() or [type(error).__name__])[0])
    if settings.ray:
        return DeviceError(
            f"no Ray cluster could be joined at {quoted(settings.ray)}, Ray says {reason}; start one "
            "there with: ray start --head, and look whether this machine has its token."
        )
    return DeviceError(
        f"Ray could not start on this machine, it says {reason}; try again when less is at work "
        "here, or leave out --workers (workers=WorkerSettings()) to work in this process alone."
    )


@contextmanager
def _environment(*, local: bool) -> Iterator[None]:
    """Set what Ray reads from the environment, where nothing else was set, for a block.

    A cluster of this machine listens on every address, so nobody gets in without the token. Ray reads
    it when it is imported; where a program has done that before us, Ray makes a token of its own.
    """
    ours = "ray" not in sys.modules or _token.cache_info().currsize > 0
    wanted: dict[str, str] = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        "RAY_gcs_server_port_wait_time_s": _START_SECONDS if local else _JOIN_TRIES,
    }
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
