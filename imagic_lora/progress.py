"""The event that every long operation reports, and the type of the callback that receives it.

The library prints nothing by itself: a caller passes a function of one Progress.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One step of a long operation.

    Attributes:
        phase: What is being done: "encode", "caption", "fit embedding", "fit", "sample",
            "decode" or "count".
        step: Steps done in this phase, from 1.
        steps: Steps that this phase takes at most.
        loss: Mean loss of the step, or None outside a fit.
        seconds: Time since the phase began.
        peak_bytes: Most memory used so far: of the device on a GPU, of the process on a CPU.
        preview: Draws the input as the fit now knows it, in less time than a step takes, and
            returns None where memory is too short for it. None outside a fit. Only to be called
            before the callback returns.
    """

    phase: str
    step: int
    steps: int
    loss: float | None
    seconds: float
    peak_bytes: int
    preview: "Callable[[], Image.Image | None] | None" = field(
        default=None, repr=False, compare=False
    )

    @property
    def seconds_left(self) -> float:
        """Time that the rest of the phase takes at the mean speed so far."""
        return self.seconds / self.step * (self.steps - self.step)


OnProgress = Callable[[Progress], None]


class StopFit(Exception):  # noqa: N818  it is a request, not an error
    """Raise this in a callback to end a fit early and keep what was learned so far."""


def ignore(progress: Progress) -> None:
    """Take a Progress and do nothing: the default callback."""
