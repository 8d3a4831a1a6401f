"""What happens when the device runs out of memory: one more lever is pulled, and the work goes on.

Only levers that change no result are pulled here: the base model stays what was loaded, and what
would round it is chosen before it is loaded.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

import torch

from imagic_lora.errors import DeviceError, warn
from imagic_lora.memory.ladder import LADDER, Lever, Phase
from imagic_lora.memory.plan import MemoryPlan

Result = TypeVar("Result")

_ALLOWED: ContextVar[bool] = ContextVar("relief allowed", default=True)


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
        except torch.OutOfMemoryError:
            if not _ALLOWED.get():
                raise
            lever = model.plan.next_lever(phase)
            if lever is None:
                raise DeviceError(_exhausted(model.plan, phase)) from None
        # Outside of the handler: the error holds on to the frames, and they to their tensors.
        _pull(model, phase, lever)
        begun = True


@contextmanager
def unrelieved() -> Iterator[None]:
    """Let work in a block fail with torch.OutOfMemoryError rather than pull a lever for it."""
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
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
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
