"""An autoencoder: from pixels to normalised latents and back."""

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from imagic_lora.memory import MemoryPlan


@dataclass(frozen=True)
class Autoencoder:
    """A diffusers AutoencoderKL, on the device only while it works.

    Attributes:
        module: The AutoencoderKL.
        plan: Where it works.
    """

    module: Any
    plan: MemoryPlan

    @property
    def factor(self) -> int:
        """Pixels per latent, along each side."""
        return int(2 ** (len(self.module.config.block_out_channels) - 1))

    @property
    def channels(self) -> int:
        """Channels of the latents."""
        return int(self.module.config.latent_channels)

    @property
    def _shift(self) -> float:
        """Mean of the latents before they are scaled; many autoencoders state none."""
        return self.module.config.get("shift_factor", None) or 0.0

    @torch.no_grad()
    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the mean latents of pixels, normalised, float32.

        The mean rather than a draw: one image is fitted, and the mean is its best likeness.

        Args:
            pixels: Shape (B, 3, H, W) in [-1, 1].
        """
        with self.plan.tiled(self.module):
            pixels = pixels.to(self.plan.device, self.module.dtype)
            return self._normalised(self.module.encode(pixels).latent_dist.mode().float())

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return pixels for normalised latents, float32 in [-1, 1].

        Args:
            latents: Shape (B, C, h, w).
        """
        with self.plan.tiled(self.module):
            raw = self._restored(latents.to(self.plan.device, torch.float32))
            pixels: torch.Tensor = self.module.decode(raw.to(self.module.dtype)).sample
        return pixels.float().clamp(-1, 1)

    def _normalised(self, raw: torch.Tensor) -> torch.Tensor:
        """Return latents as the denoiser knows them, of about mean 0 and variance 1."""
        latents: torch.Tensor = (raw - self._shift) * self.module.config.scaling_factor
        return latents

    def _restored(self, latents: torch.Tensor) -> torch.Tensor:
        """Return latents as the autoencoder knows them: the inverse of `_normalised`."""
        raw: torch.Tensor = latents / self.module.config.scaling_factor + self._shift
        return raw


@dataclass(frozen=True)
class BatchNormed(Autoencoder):
    """An AutoencoderKLFlux2: its latents are normalised by a batch norm of their 2 x 2 patches."""

    def _normalised(self, raw: torch.Tensor) -> torch.Tensor:
        mean, deviation = self._statistics()
        return unpatched((patched(raw) - mean) / deviation)

    def _restored(self, latents: torch.Tensor) -> torch.Tensor:
        mean, deviation = self._statistics()
        return unpatched(patched(latents) * deviation + mean)

    def _statistics(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and standard deviation of the patches, each of shape (4 C, 1, 1)."""
        norm = self.module.bn
        variance = norm.running_var.float() + self.module.config.batch_norm_eps
        return norm.running_mean.float().view(-1, 1, 1), variance.sqrt().view(-1, 1, 1)


def patched(latents: torch.Tensor) -> torch.Tensor:
    """Return latents with 2 x 2 neighbours side by side: (B, 4 C, h / 2, w / 2) of (B, C, h, w)."""
    return functional.pixel_unshuffle(latents, 2)


def unpatched(patches: torch.Tensor) -> torch.Tensor:
    """Return latents of their patches: the inverse of `patched`."""
    return functional.pixel_shuffle(patches, 2)
