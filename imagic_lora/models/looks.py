"""How a model sees inputs under one prompt and another: what it predicts on noised copies of them.

It knows a model and latents, neither edits nor fits.
"""

import torch

from imagic_lora.conditioning import Conditioning, concatenate
from imagic_lora.models.base import LatentModel
from imagic_lora.seeding import generator, randn

_LOOKS = 6
"""Noised copies that are looked at, an even number: few leave a map of differences speckled."""

_LEVELS = (0.3499, 0.8494)
"""Noise levels between which they are noised: below, predictions follow the input alone;
above, they follow the prompt everywhere."""


class Looks:
    """Noised copies of inputs, at which a model looks with one prompt and another.

    The noises are the same for every input and every edit of it: what is found does not depend on an
    edit's seed, nor on what else is in a batch.

    Args:
        model: The model.
        latents: Latents of the inputs, shape (B, C, h, w), on the device.
        seed: Seed of the noises.
        purpose: What is looked for: each purpose has noises of its own.
    """

    def __init__(
        self, model: LatentModel, latents: torch.Tensor, seed: int = 0, purpose: str = "focus"
    ) -> None:
        self._model, self._count = model, len(latents)
        drawn, shape = generator(seed, f"{purpose} noise"), (1, *latents.shape[1:])
        times = model.objective.time(torch.linspace(*_LEVELS, _LOOKS)).to(latents.device)
        self._times = times.repeat_interleave(len(latents))
        noises = [randn(shape, drawn).to(latents.device).expand_as(latents) for _ in times]
        inputs = latents.repeat(_LOOKS, 1, 1, 1)
        self._noised = model.objective.add_noise(inputs, torch.cat(noises), self._times)

    @torch.no_grad()
    def at(self, prompt: Conditioning) -> torch.Tensor:
        """Return the predictions at a prompt, shape (looks, B, C, h, w).

        Args:
            prompt: One for each row, batch B.
        """
        pair = concatenate([prompt, prompt])  # two looks at once, as a memory plan has counted
        parts = (torch.split(part, 2 * self._count) for part in (self._noised, self._times))
        found = [self._model.predict(x_t, t, pair) for x_t, t in zip(*parts, strict=True)]
        return torch.cat(found).view(_LOOKS, self._count, *self._noised.shape[1:])

    def noises(self, predicted: torch.Tensor) -> torch.Tensor:
        """Return the noises that predictions stand for, of the same shape.

        Args:
            predicted: Result of `at`.
        """
        rows = predicted.view_as(self._noised)
        _, noises = self._model.objective.split(self._noised, rows, self._times)
        return noises.view_as(predicted)
