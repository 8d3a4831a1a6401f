"""What an autoencoder loses of an input, and where an edit's picture gets it back.

Latents cannot hold all of a photo: through them alone, even what no edit touches would come back
softened. It knows pictures and latents, not how they were edited.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from PIL import Image

from imagic_lora.images.pixels import to_images, to_pixels
from imagic_lora.models.base import LatentModel

_MOVED = 0.15
"""Change of latents, in their own standard deviations, at which half of the loss comes back."""


@dataclass(frozen=True, eq=False)
class Residue:
    """One input beside what the autoencoder makes of it.

    Attributes:
        model: The base model.
        picture: The input on its canvas; None where it was not kept.
        latents: Its latents, shape (1, C, h, w).
        mask: Where the picture may change, shape (1, 1, H, W); None is everywhere.
    """

    model: LatentModel
    picture: Image.Image | None
    latents: torch.Tensor
    mask: torch.Tensor | None

    def decoded(self, latents: torch.Tensor) -> Image.Image:
        """Return the picture of edited latents, with the input's own pixels where it is unchanged.

        Where the latents are the input's, so are the pixels, exactly; the more they differ, the
        less is added, since what was lost belongs to what was there. Outside a mask every pixel is
        the input's.

        Args:
            latents: Latents of the edit, shape (1, C, h, w).
        """
        pixels = self.model.decode(latents)
        if self._pixels is None:
            return to_images(pixels)[0]
        own = self._pixels.to(pixels.device)
        share = _unmoved(latents - self.latents.to(latents.device), own.shape[-2:])
        pixels = pixels + share * self._lost.to(pixels.device)
        if self.mask is not None:
            pixels = torch.lerp(own, pixels, self.mask.to(pixels.device))
        return to_images(pixels)[0]

    @cached_property
    def _pixels(self) -> torch.Tensor | None:
        """The input's pixels, shape (1, 3, H, W)."""
        return None if self.picture is None else to_pixels(self.picture, self.picture.size)

    @cached_property
    def _lost(self) -> torch.Tensor:
        """What the autoencoder loses of the input, shape (1, 3, H, W)."""
        rebuilt = self.model.decode(self.latents).cpu()
        return torch.zeros(1) if self._pixels is None else self._pixels - rebuilt


def _unmoved(change: torch.Tensor, size: torch.Size) -> torch.Tensor:
    """Return how far latents stayed what they were: 1 is unchanged, shape (1, 1, H, W).

    A pixel is made of the latents around it, so the largest change among neighbours counts.
    """
    moved = change.square().mean(dim=1, keepdim=True)
    moved = torch.nn.functional.max_pool2d(moved, 3, 1, 1)
    share = 1 / (1 + moved / _MOVED**2)
    return torch.nn.functional.interpolate(share, size, mode="bilinear")
