"""The event that every long operation reports, and the type of the callback that receives it.

The library prints nothing by itself: a caller passes a function of one Progress.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One step of a long operation.

    Attributes:
        phase: What is being done: "caption", "fit embedding", "fit", "sample" or "count".
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


class Ticker:
    """Reports the steps of one phase: called after each, it makes the event and passes it on.

    Args:
        phase: What is being done.
        steps: Steps that the phase takes at most.
        on_progress: Takes the events.
        peak_bytes: Returns the most memory used so far.
    """

    def __init__(
        self, phase: str, steps: int, on_progress: OnProgress, peak_bytes: Callable[[], int]
    ) -> None:
        self._phase, self._steps = phase, steps
        self._on_progress, self._peak_bytes = on_progress, peak_bytes
        self._step, self._began = 0, time.monotonic()

    def __call__(
        self,
        loss: float | None = None,
        preview: "Callable[[], Image.Image | None] | None" = None,
    ) -> None:
        """Report that one more step is done.

        Args:
            loss: Mean loss of the step, in a fit.
            preview: Draws the input as the fit now knows it.
        """
        self._step += 1
        self._on_progress(
            Progress(
                phase=self._phase,
                step=self._step,
                steps=self._steps,
                loss=loss,
                seconds=time.monotonic() - self._began,
                peak_bytes=self._peak_bytes(),
                preview=preview,
            )
        )


def ignore(progress: Progress) -> None:
    """Take a Progress and do nothing: the default callback."""
