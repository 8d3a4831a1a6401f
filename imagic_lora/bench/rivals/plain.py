"""What needs no other method: the autoencoder alone, and the product's own img2img."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from PIL import Image

from imagic_lora.bench.items import Item
from imagic_lora.bench.rivals.base import SEED, Lent, Paint
from imagic_lora.images.pixels import to_images, to_pixels
from imagic_lora.settings import SamplingSettings


@dataclass(frozen=True)
class Autoencoder:
    """What the autoencoder alone makes of the input: no edit decoded from latents alone is nearer."""

    row: ClassVar[str] = "autoencoder"

    def open(self, lent: Lent) -> Paint:
        """Return what encodes a picture and decodes it."""
        model = lent.editor.model

        @torch.no_grad()
        def paint(picture: Image.Image, _: Item) -> Image.Image:
            return to_images(model.decode(model.encode_image(to_pixels(picture, picture.size))))[0]

        return paint


@dataclass(frozen=True)
class Img2Img:
    """The product's own img2img.

    Attributes:
        strength: Share of the noise levels that are run, 0 to 1.
        guidance: Classifier-free guidance.
        steps: Denoising steps of a whole schedule.
    """

    strength: float
    guidance: float = 7.5
    steps: int = 30

    @property
    def row(self) -> str:
        """What its row is called."""
        return f"img2img at {self.strength:g}"

    def open(self, lent: Lent) -> Paint:
        """Return what noises a picture and denoises it towards the target."""
        editor = lent.editor
        settings = SamplingSettings(guidance=self.guidance, steps=self.steps, seed=SEED)

        def paint(picture: Image.Image, item: Item) -> Image.Image:
            found = editor.img2img(picture, item.target, strength=self.strength, settings=settings)
            return found.image

        return paint
