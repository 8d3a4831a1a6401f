"""What happens when the device runs out of memory: one more lever is pulled, and the work goes on.

Only levers that round nothing are pulled here: the base model stays what was loaded, and what
would round it is chosen before it is loaded.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

import torch

from imagic_lora.errors import DeviceError, warn
from imagic_lora.memory.device import give_back
from imagic_lora.memory.ladder import LADDER, Lever, Phase
from imagic_lora.memory.plan import MemoryPlan

Result = TypeVar("Result")

_ALLOWED: ContextVar[bool] = ContextVar("relief allowed", default=True)
_SHORTAGES = ("can't allocate memory", "out of memory", "STATUS_ALLOC_FAILED")
"""What PyTorch's allocator of the CPU and the libraries of CUDA say, in errors of no type of their own."""


class Planned(Protocol):
    """A model that works by a plan and can change to another."""

    plan: MemoryPlan
    denoiser: torch.nn.Module

    def replan(self, plan: MemoryPlan) -> None:
        """Work by another plan from now on."""


class Relieved(Protocol):
    """Does a piece of work that can be begun again, with as many more levers as it takes."""

    def __call__(self, piece: Callable[[], Result], /) -> Result:
        """Return what the piece of work returns."""


def relieved(
    model: Planned,
    phase: Phase,
    work: Callable[[], Result],
    pulled: Callable[[], object] = lambda: None,
) -> Result:
    """Do a piece of work that can be begun again, with as many more levers as it takes.

    Args:
        model: What works by a plan.
        phase: Which phase the work belongs to: only levers that help it are pulled.
        work: The work; it leaves no trace when it fails.
        pulled: Called after a lever was pulled, before the work is begun again.

    Raises:
        DeviceError: When the ladder ends, naming what was tried.
    """
    begun = False
    while True:
        try:
            if begun:
                pulled()
            return work()
        except (RuntimeError, MemoryError) as error:
            if not (is_shortage(error) and _ALLOWED.get()):
                raise
            lever = model.plan.next_lever(phase)
            if lever is None:
                raise DeviceError(_exhausted(model.plan, phase)) from None
        # Outside of the handler: the error holds on to the frames, and they to their tensors.
        _pull(model, phase, lever)
        begun = True


def is_shortage(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, of the device or of this machine."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SHORTAGES)


@contextmanager
def _explained(say: Callable[[], str]) -> Iterator[None]:
    """Raise what is said in a DeviceError where memory runs out in a block."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_shortage(error):
            raise
        raise DeviceError(say()) from None


@contextmanager
def shortage_explained(model: Planned) -> Iterator[None]:
    """Say in our own words that memory ran out in a block, at a place where no lever helps.

    Raises:
        DeviceError: When it did, naming the levers that are pulled.
    """

    def said() -> str:
        pulled = ", ".join(lever.name for lever in model.plan.levers) or "none"
        return (
            f"The device {str(model.plan.device)!r} ran out of memory between two phases, where no "
            f"lever helps (pulled: {pulled}); use a smaller canvas, fewer pictures at a time, or a "
            "device with more memory."
        )

    with _explained(said):
        yield


@contextmanager
def host_shortage_explained(doing: str) -> Iterator[None]:
    """Say in our own words that this machine's memory ran out in a block, which loses nothing.

    Args:
        doing: What was being done, as "an adapter was read".

    Raises:
        DeviceError: When it did.
    """
    said = (
        f"This machine ran out of memory while {doing}; nothing was changed, so end other "
        "programs, and do it again."
    )
    with _explained(lambda: said):
        yield


@contextmanager
def unrelieved() -> Iterator[None]:
    """Let work in a block fail where memory runs out, rather than pull a lever for it."""
    token = _ALLOWED.set(False)
    try:
        yield
    finally:
        _ALLOWED.reset(token)


@contextmanager
def denoising(model: Planned, phase: Phase) -> Iterator[Relieved]:
    """Hold the denoiser on the device for a block, as the model's plan says, now and after relief.

    Args:
        model: The model.
        phase: "sample", or "fit" where the denoiser is trained.

    Yields:
        What does a piece of work with the denoiser, relieving it when memory runs out.
    """
    with ExitStack() as held:

        def hold() -> None:
            held.close()
            training = phase == "fit"
            held.enter_context(model.plan.denoising(model.denoiser, training=training))

        relieved(model, phase, hold)

        def work(piece: Callable[[], Result], /) -> Result:
            return relieved(model, phase, piece, hold)

        yield work


def lever_names(plan: MemoryPlan, before: MemoryPlan) -> dict[str, tuple[str, ...]]:
    """Return, for a record, the levers that are pulled, and those of them that were not before.

    Args:
        plan: The plan that the work ended with.
        before: The plan that it began with.
    """
    return {
        "levers": tuple(lever.name for lever in plan.levers),
        "relieved": tuple(lever.name for lever in plan.levers if lever not in before.levers),
    }


def _pull(model: Planned, phase: Phase, lever: Lever) -> None:
    """Pull a lever, and say so."""
    give_back()
    warn(
        f"The device ran out of memory in the phase {phase!r}; it goes on with the lever "
        f"{lever.name!r} ({lever.help})."
    )
    model.replan(model.plan.climb((lever,)))


def _exhausted(plan: MemoryPlan, phase: Phase) -> str:
    """Return what to say when no lever is left."""
    helping = [lever for lever in LADDER if phase in lever.slower]
    names = ", ".join(lever.name for lever in helping if lever in plan.levers)
    left = ", ".join(lever.name for lever in helping if lever not in plan.levers)
    load = f"load the model with a budget that pulls {left}, " if left else ""
    return (
        f"The device ran out of memory in the phase {phase!r}, with every lever pulled that helps "
        f"it and rounds nothing ({names or 'there is none'}); {load}use a smaller canvas, or a device with more "
        "memory."
    )
