"""What happens when the device runs out of memory: one more lever is pulled, and the work goes on."""

from collections.abc import Callable
from typing import Protocol, TypeVar

import torch

from imagic_lora.errors import DeviceError, warn
from imagic_lora.memory.ladder import Lever, Phase
from imagic_lora.memory.plan import MemoryPlan

Result = TypeVar("Result")


class Planned(Protocol):
    """Whatever works by a plan and can change to another."""

    plan: MemoryPlan

    def replan(self, plan: MemoryPlan) -> None:
        """Work by another plan from now on."""


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
    while True:
        try:
            return work()
        except torch.OutOfMemoryError:
            lever = model.plan.next_lever(phase)
            if lever is None:
                raise DeviceError(_exhausted(model.plan, phase)) from None
        # Outside of the handler: the error holds on to the frames, and they to their tensors.
        _pull(model, phase, lever)
        pulled()


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
    names = ", ".join(lever.name for lever in plan.levers)
    return (
        f"The device ran out of memory in the phase {phase!r}, with every lever pulled that helps "
        f"it ({names}); use a smaller canvas, or a device with more memory."
    )
