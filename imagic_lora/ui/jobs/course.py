"""How far a whole run is, from its fit to its last picture: one share, and one time that is left."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from imagic_lora.progress import Progress

_SAMPLE = 0.9
"""Denoising steps that one sample of a step of a fit takes as long as: forwards and backwards."""


@dataclass(frozen=True)
class Ahead:
    """What is behind of a run, and what is ahead.

    Attributes:
        share: Share of its work that is done, 0 to 1.
        seconds_left: Time that the rest takes at most.
    """

    share: float
    seconds_left: float | None


NOWHERE = Ahead(0.0, None)
"""Where a run is that has only begun."""


class Course:
    """Turns the steps of a run's phases into one course.

    Args:
        fit_steps: Steps of the fit, at most; 0 where there is none.
        batch: Samples of each of these.
        pictures: Pictures that follow.
        steps: Denoising steps of each.
        clock: Returns a time in seconds.
    """

    def __init__(
        self,
        *,
        fit_steps: int,
        batch: int,
        pictures: int,
        steps: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fit = fit_steps * batch * _SAMPLE
        self._edits, self._steps = float(pictures * steps), steps
        self._clock, self._edits_began = clock, 0.0
        self._made, self._share, self._more = 0, 0.0, 0

    def fitting(self, progress: Progress) -> Ahead:
        """Return how far the run is at a step of its fit."""
        if not progress.phase.startswith("fit"):
            return NOWHERE
        done = self._fit * progress.step / progress.steps
        left = self._fit - done + self._edits
        return self._ahead(self._fit - done, self._edits, progress.seconds / done * left)

    def editing(self, progress: Progress | None, made: int) -> Ahead:
        """Return how far the run is at a step of a picture.

        A picture that is begun before the one at hand is there is one more than was foreseen: a
        strength that is found may take several.

        Args:
            progress: The last step of it, or None before its first.
            made: Pictures that are there already, of those that were foreseen.
        """
        if made != self._made:
            self._made, self._share = made, 0.0
        if progress is not None and progress.phase == "sample":
            share = progress.step / progress.steps
            self._more += share < self._share
            self._share = share
        more = self._more * self._steps
        done = min((made + self._share) * self._steps, self._edits) + more
        self._edits_began = self._edits_began or self._clock()
        spent = self._clock() - self._edits_began
        left = spent / done * (self._edits + more - done) if done else None
        return self._ahead(0, self._edits + more - done, left, more)

    def _ahead(self, fit: float, edits: float, seconds: float | None, more: float = 0) -> Ahead:
        """Return how far it is where so much is left of the fit and of the edits."""
        return Ahead(1 - (fit + edits) / (self._fit + self._edits + more), seconds)
