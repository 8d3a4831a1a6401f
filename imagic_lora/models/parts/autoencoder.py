"""An AutoencoderKL: from pixels to scaled latents and back."""

from dataclasses import dataclass
from typing import Any

import torch

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
        """Return the mean latents of pixels, scaled, float32.

        The mean rather than a draw: one image is fitted, and the mean is its best likeness.

        Args:
            pixels: Shape (B, 3, H, W) in [-1, 1].
        """
        with self.plan.tiled(self.module):
            pixels = pixels.to(self.plan.device, self.module.dtype)
            mean = self.module.encode(pixels).latent_dist.mode()
        latents: torch.Tensor = (mean.float() - self._shift) * self.module.config.scaling_factor
        return latents

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return pixels for scaled latents, float32 in [-1, 1].

        Args:
            latents: Shape (B, C, h, w).
        """
        with self.plan.tiled(self.module):
            raw = latents.to(self.plan.device) / self.module.config.scaling_factor + self._shift
            pixels: torch.Tensor = self.module.decode(raw.to(self.module.dtype)).sample
        return pixels.float().clamp(-1, 1)
