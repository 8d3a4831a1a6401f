"""A picture as a model sees it: on which canvas, and as which latents."""

from dataclasses import dataclass
from os import PathLike

import torch
from PIL import Image

from imagic_lora.images.canvas import canvas
from imagic_lora.images.pixels import to_pixels
from imagic_lora.images.reading import open_image
from imagic_lora.models.base import LatentModel

ImageSource = str | PathLike[str] | Image.Image
"""A picture, as people have it: a path or a PIL image."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """A picture with its latents.

    Attributes:
        picture: The whole picture, upright, RGB.
        size: Width and height of the canvas that it was encoded at, in pixels.
        latents: Shape (1, C, h, w), float32.
    """

    picture: Image.Image
    size: tuple[int, int]
    latents: torch.Tensor


def encode(
    model: LatentModel, image: ImageSource, width: int | None = None, height: int | None = None
) -> Encoded:
    """Open a picture and encode it on a model's canvas.

    Args:
        model: The model.
        image: A path or a PIL image.
        width: Width asked for, in pixels; default: from the picture.
        height: Height asked for, likewise.

    Raises:
        ImageError: When the picture cannot be used.
    """
    picture = open_image(image)
    size = canvas_of(model, picture.size, width, height)
    return Encoded(picture, size, model.encode_image(to_pixels(picture, size)))


def canvas_of(
    model: LatentModel,
    image_size: tuple[int, int],
    width: int | None = None,
    height: int | None = None,
) -> tuple[int, int]:
    """Return the width and height that a picture is worked on at by a model, in pixels.

    Args:
        model: The model.
        image_size: Width and height of the picture, in pixels.
        width: Width asked for, in pixels; default: from the picture.
        height: Height asked for, likewise.
    """
    traits = model.traits
    return canvas(
        image_size, native=traits.native_size, multiple=traits.multiple, width=width, height=height
    )
