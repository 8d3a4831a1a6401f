"""What a fit brings down: how far a model is from reconstructing one picture.

It knows a model and latents; nothing of LoRA, optimisers or steps.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from imagic_lora.conditioning import Conditioning
from imagic_lora.models.base import LatentModel
from imagic_lora.seeding import generator, randn

_BANK = 8
"""Noise samples that a fit is judged by: the same before, during and after it."""


def reconstruction_loss(
    model: LatentModel,
    latents: torch.Tensor,
    conditioning: Conditioning,
    noise: torch.Tensor,
    t: torch.Tensor,
) -> torch.Tensor:
    """Return the mean squared error of a model's predictions on a noised picture.

    Args:
        model: The model, with whatever is learned in it.
        latents: Latents of the picture, shape (1, C, h, w).
        conditioning: What it is reconstructed from, batch 1.
        noise: Shape (B, C, h, w).
        t: Where on the schedule, shape (B,).

    Source: Kawar et al. 2022, arXiv 2210.09276, equation 2.
    """
    x_0 = latents.expand(len(t), *latents.shape[1:])
    x_t = model.objective.add_noise(x_0, noise, t)
    predicted = model.predict(x_t, t, conditioning.repeat(len(t)))
    return torch.nn.functional.mse_loss(predicted, model.objective.target(x_0, noise, t))


@dataclass(frozen=True, eq=False)
class Loss:
    """The loss of one picture, over samples of noise.

    Attributes:
        model: The model.
        latents: Latents of the picture, shape (1, C, h, w), on the model's device.
        conditioning: What it is reconstructed from, batch 1, likewise.
    """

    model: LatentModel
    latents: torch.Tensor
    conditioning: Conditioning

    def draws(
        self, count: int, seed: int, phase: str
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield noises (count, C, h, w) and times (count,) on the CPU, for ever.

        Args:
            count: Samples at a time.
            seed: Seed of the fit.
            phase: What they are for: each phase has samples of its own.
        """
        noise, times = generator(seed, f"{phase} noise"), generator(seed, f"{phase} timesteps")
        while True:
            e = randn((count, *self.latents.shape[1:]), noise)
            yield e, self.model.objective.draw(count, times)

    def backward(self, noise: torch.Tensor, t: torch.Tensor, scaler: torch.amp.GradScaler) -> float:
        """Add the gradient of the mean loss over some samples, and return that loss."""
        total = 0.0
        for noises, times, share in self._parts(noise, t):
            loss = share * self._at(noises, times)
            scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        return total

    @torch.no_grad()
    def on_bank(self, seed: int) -> float:
        """Return the mean loss on a fixed set of samples."""
        bank = next(self.draws(_BANK, seed, "bank"))
        return sum(self._at(e, t).item() * share for e, t, share in self._parts(*bank))

    def _at(self, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return reconstruction_loss(self.model, self.latents, self.conditioning, noise, t)

    def _parts(
        self, noise: torch.Tensor, t: torch.Tensor
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor, float]]:
        """Yield noises and times in chunks of what fits at once, with their share of all."""
        size, device = self.model.plan.micro_batch, self.latents.device
        for e_part, t_part in zip(torch.split(noise, size), torch.split(t, size), strict=True):
            yield e_part.to(device), t_part.to(device), len(t_part) / len(t)
