"""A picture as a model sees it: on which canvas, and as which latents."""

from dataclasses import dataclass
from functools import cached_property
from os import PathLike

import torch
from PIL import Image

from imagic_lora.errors import ImageError
from imagic_lora.images.canvas import Frame, canvas
from imagic_lora.images.pixels import decibels, to_images, to_pixels
from imagic_lora.images.reading import open_image
from imagic_lora.models.base import LatentModel

ImageSource = str | PathLike[str] | Image.Image
"""A picture, as people have it: a path or a PIL image."""

_POOR = 21.0
"""Round trip, in dB, below which a model cannot show a picture; Stable Diffusion's own autoencoder
is at 23 to 25 on photos, the bundled one at 17 to 22 on photos and at 31 on its drawings."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """A picture with its latents.

    Attributes:
        picture: The whole picture, upright, RGB.
        frame: Which part of it was encoded, at which size.
        latents: Shape (1, C, h, w), float32.
    """

    picture: Image.Image
    frame: Frame
    latents: torch.Tensor

    @cached_property
    def canvas(self) -> Image.Image:
        """The framed part of the picture, at the canvas's size."""
        return self.frame.cut(self.picture)


@dataclass(frozen=True, eq=False)
class RoundTrip:
    """What comes back of a picture through a model's autoencoder.

    Attributes:
        image: The picture as it comes back, which is all that the model can show of it.
        decibels: How near that is to the picture, in dB.
    """

    image: Image.Image
    decibels: float

    @property
    def is_poor(self) -> bool:
        """Whether the model cannot show such pictures."""
        return self.decibels < _POOR


def encode(
    model: LatentModel,
    image: ImageSource,
    width: int | None = None,
    height: int | None = None,
    *,
    frame: Frame | None = None,
) -> Encoded:
    """Open a picture and encode it on a model's canvas.

    Args:
        model: The model.
        image: A path or a PIL image.
        width: Width asked for, in pixels; default: from the picture.
        height: Height asked for, likewise.
        frame: Which part of the picture, at which size; default: as much of it as has the shape of
            the canvas, about its centre.

    Raises:
        ImageError: When the picture cannot be used, or the frame is for another picture or model.
    """
    picture = open_image(image)
    if frame is None:
        frame = Frame.of(picture.size, canvas_of(model, picture.size, width, height))
    elif any(side % model.traits.multiple for side in frame.size):
        raise ImageError(
            f"The frame's canvas was {frame.size[0]} x {frame.size[1]} pixels; allowed are "
            f"multiples of {model.traits.multiple} a side."
        )
    return Encoded(picture, frame, model.encode_image(to_pixels(frame.cut(picture), frame.size)))


def round_trip(model: LatentModel, encoded: Encoded) -> RoundTrip:
    """Return what comes back of a picture through a model's autoencoder.

    Args:
        model: The model that encoded it.
        encoded: The picture.
    """
    (rebuilt,) = to_images(model.decode(encoded.latents))
    return RoundTrip(rebuilt, decibels(encoded.canvas, rebuilt))


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
