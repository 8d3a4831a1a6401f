"""The optimiser's steps: parameters are moved until they drown the words of their caption.

It knows a loss and settings; not what the parameters are, nor where they come from.
"""

import math
from collections.abc import Sequence
from functools import partial

import torch

from imagic_lora.errors import FitError
from imagic_lora.fitting.loss import Loss
from imagic_lora.fitting.preview import preview
from imagic_lora.fitting.restraint import Restraint
from imagic_lora.memory import peak_bytes
from imagic_lora.memory.relief import Relieved
from imagic_lora.progress import OnProgress, StopFit, Ticker
from imagic_lora.settings import FitSettings

_LOOK_EVERY = 6
"""Optimiser steps between two looks at what has changed; a look costs as much as a step."""

_RANK = 4
"""Rank for which the LoRA's rate is meant."""

_MOST_OVERFLOWS = 16
"""Times in a row that a half-precision gradient may overflow before the fit is given up."""


class Optimisation:
    """Adam over an embedding and LoRA weights, one step at a time.

    Every rank of a LoRA adds to what a step changes, so its rate falls with the root of the rank.
    Source: Kalajdzievski 2023 (rsLoRA), arXiv 2312.03732, which divides the LoRA's scale by it; the
    scale is 1 here, in every tool.

    Args:
        loss: What is brought down.
        settings: How to fit.
        phase: What the steps are called; each phase draws samples of its own.
        embedding: The tensors of the conditioning that move.
        weights: The LoRA weights that move.
        work: Does a piece of work with relief.
    """

    def __init__(
        self,
        loss: Loss,
        settings: FitSettings,
        phase: str,
        embedding: Sequence[torch.Tensor],
        weights: Sequence[torch.nn.Parameter],
        work: Relieved,
    ) -> None:
        self._loss, self._work = loss, work
        self._draws = loss.draws(settings.batch, settings.seed, phase)
        scale, thinned = loss.model.traits.rate, math.sqrt(_RANK / settings.rank)
        groups = [
            {"params": list(embedding), "lr": settings.embedding_lr * scale},
            {"params": list(weights), "lr": settings.lora_lr * scale * thinned},
        ]
        self.optimiser = torch.optim.Adam([group for group in groups if group["params"]])
        plan = loss.model.plan
        # It keeps small gradients above zero in float16; elsewhere it does nothing.
        half = plan.dtype == torch.float16
        self._scaler = torch.amp.GradScaler(plan.device.type, init_scale=2.0**12, enabled=half)

    def step(self) -> float:
        """Make one step and return its mean loss.

        A step whose half-precision gradient overflowed changes nothing and is made again, at a
        smaller loss scale: in a short fit every step counts.

        Raises:
            FitError: When the gradient overflows at every loss scale.
        """
        for _ in range(_MOST_OVERFLOWS):
            loss = self._work(partial(self._accumulate, *next(self._draws)))
            scale = self._scaler.get_scale()
            self._scaler.step(self.optimiser)
            self._scaler.update()
            if self._scaler.get_scale() >= scale:
                return loss
        raise FitError(
            "The gradient overflows half precision at every loss scale; use bfloat16 or float32 "
            "weights."
        )

    def _accumulate(self, noise: torch.Tensor, t: torch.Tensor) -> float:
        """Set the gradient of one step, whatever it was before, and return the mean loss."""
        self.optimiser.zero_grad(set_to_none=True)
        return self._loss.backward(noise, t, self._scaler)


class Loop:
    """The steps of one fit, phase by phase, watched for loss and progress.

    Args:
        loss: What is brought down.
        settings: How to fit.
        restraint: Tells how much of the model's hearing is used up; None where all steps are made.
        work: Does a piece of work with relief.
        on_progress: Called after every step.

    Attributes:
        losses: Mean loss of every step so far.
    """

    def __init__(
        self,
        loss: Loss,
        settings: FitSettings,
        restraint: Restraint | None,
        work: Relieved,
        on_progress: OnProgress,
    ) -> None:
        self._loss, self._settings, self._work = loss, settings, work
        self._restraint, self._on_progress = restraint, on_progress
        self.losses: list[float] = []
        self._initial = self._on_bank()

    def gap(self) -> float:
        """Return the loss on the bank as a share of what it was before the fit.

        Raises:
            FitError: When it is twice what it was, or more.
        """
        share = self._on_bank() / self._initial
        if not share < 2:
            raise FitError(
                f"The fit made the loss {share:.1f} times what it was, in {len(self.losses)} steps; "
                "try half the learning rates."
            )
        return share

    def run(
        self,
        phase: str,
        embedding: Sequence[torch.Tensor],
        weights: Sequence[torch.nn.Parameter],
    ) -> bool:
        """Move parameters until the steps are done, or the adapter outweighs the words.

        Returns:
            Whether the fit goes on: False where a StopFit asked for its end.

        Raises:
            FitError: When the loss or the gradient is not finite, or the loss rises.
        """
        settings, model = self._settings, self._loss.model
        steps = Optimisation(self._loss, settings, phase, embedding, weights, self._work)
        peak = partial(peak_bytes, model.plan.device)
        tick = Ticker(phase, settings.steps, self._on_progress, peak)
        for number in range(1, settings.steps + 1):
            loss = steps.step()
            _check(phase, number, loss)
            self.losses.append(loss)
            try:
                tick(loss, partial(preview, self._loss, settings.seed))
            except StopFit:
                return False
            if number % _LOOK_EVERY == 0 and number < settings.steps and self._enough(weights):
                break
        return True

    def _on_bank(self) -> float:
        return self._work(partial(self._loss.on_bank, self._settings.seed))

    def _enough(self, weights: Sequence[torch.nn.Parameter]) -> bool:
        """Return whether the weights change as much as they may; raise if the loss went up."""
        if self._restraint and weights:
            return self._restraint.used() >= self._settings.outweigh
        self.gap()
        return False


def _check(phase: str, step: int, loss: float) -> None:
    """Raise a FitError for a loss that is no number."""
    if not math.isfinite(loss):
        raise FitError(
            f"The loss became {loss} at step {step} of the phase {phase!r}; try half the "
            "learning rates, or bfloat16 or float32 weights."
        )
