"""What every metric is given, and how pictures become the numbers that metrics are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from imagic_lora.bench.items import Item
from imagic_lora.images.reading import open_image

Scores = Mapping[str, float | None]
"""Values by the name of the metric; None is left out of means, as where a mask leaves nothing."""


@dataclass(frozen=True)
class Pair:
    """An item and what came back for it.

    Attributes:
        item: The item.
        before: Its picture, RGB.
        after: The edited picture, RGB, of the same size.
    """

    item: Item
    before: Image.Image
    after: Image.Image

    @classmethod
    def of(cls, item: Item, edited: Image.Image) -> "Pair":
        """Return a pair; the edited picture is brought to the size of the input by Lanczos.

        Where several pictures of that size stand side by side, as the tools of PIE-Bench leave
        them, the last is the edited one.

        Args:
            item: The item.
            edited: What came back, of any size.
        """
        before = open_image(item.picture)
        (width, height), wide = before.size, edited.width
        if edited.height == height and wide > width and wide % width == 0:
            edited = edited.crop((wide - width, 0, wide, height))
        if edited.size != before.size:
            edited = edited.resize(before.size, Image.Resampling.LANCZOS)
        return cls(item, before, edited.convert("RGB"))

    @cached_property
    def edited_part(self) -> npt.NDArray[np.bool_] | None:
        """Where the edit belongs, shape (height, width); None where the benchmark has no masks."""
        return None if self.item.mask is None else self.item.mask.decode()

    @cached_property
    def kept_part(self) -> npt.NDArray[np.bool_]:
        """What should stay: all but the edited part, or all where the benchmark has no masks."""
        if self.edited_part is None:
            return np.ones(self.before.size[::-1], np.bool_)
        return ~self.edited_part


class Scorer(Protocol):
    """A kind of metric: a value, whose models are loaded when they are first needed.

    Its `repr` says which weights it has: what was scored by others is scored again. Packages that
    it needs besides are its `needs`. One that is none of the package's has `columns`: how each of its
    scores is written in tables, by name.
    """

    def score(self, pair: Pair) -> Scores:
        """Return what the edited picture is worth."""


def levels(picture: Image.Image) -> torch.Tensor:
    """Return a picture's levels, 0 to 255, float32, shape (1, 3, H, W)."""
    array = np.asarray(picture.convert("RGB"), np.float32)
    return torch.from_numpy(array.copy()).permute(2, 0, 1)[None]


def blackened(picture: Image.Image, part: npt.NDArray[np.bool_]) -> Image.Image:
    """Return a picture of which a part stays and the rest is black.

    Args:
        picture: The picture.
        part: What stays, shape (height, width).
    """
    array = np.asarray(picture.convert("RGB"))
    return Image.fromarray(array * part[..., None])


def cropped(picture: Image.Image, side: int, crop: int) -> Image.Image:
    """Return the middle of a picture, as image encoders are given it.

    Args:
        picture: The picture.
        side: What its shorter side is scaled to, in pixels.
        crop: Side of the square that is cut from the middle, in pixels.
    """
    scale = side / min(picture.size)
    width, height = (max(side, round(scale * one)) for one in picture.size)
    scaled = picture.resize((width, height), Image.Resampling.BICUBIC)
    left, upper = (width - crop) // 2, (height - crop) // 2
    return scaled.crop((left, upper, left + crop, upper + crop))


def device() -> torch.device:
    """Return where scores are computed: on the GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
