"""Contact sheets: pictures of the world to look at, beside the figures."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.world.captions import phrase
from benchmarks.world.drawing import draw
from benchmarks.world.portrait import ATTRIBUTES, Portrait, held_out_portrait

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

TILE = 128
GAP = 6
LINE = 13
PAPER = (255, 255, 255)
TEXT = (40, 40, 48)


def sheet(pictures: Sequence[Image.Image], labels: Sequence[str], columns: int) -> Image.Image:
    """Pictures in rows, each with its label beneath.

    Args:
        pictures: All of one size.
        labels: As many, possibly empty.
        columns: Pictures per row.
    """
    wrapped = [textwrap.wrap(label, 22) for label in labels]
    rows = [range(i, min(i + columns, len(pictures))) for i in range(0, len(pictures), columns)]
    heights = [TILE + GAP + LINE * max(len(wrapped[i]) for i in row) for row in rows]
    page = Image.new("RGB", (columns * (TILE + GAP) + GAP, sum(heights) + GAP), PAPER)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(10)
    top = GAP
    for row, height in zip(rows, heights, strict=True):
        for index in row:
            left = GAP + (index - row.start) * (TILE + GAP)
            tile = pictures[index].resize((TILE, TILE), Image.Resampling.LANCZOS)
            page.paste(tile, (left, top))
            label = "\n".join(wrapped[index])
            pen.multiline_text((left, top + TILE), label, TEXT, font, spacing=1)
        top += height
    return page


def to_image(picture: Tensor) -> Image.Image:
    """(3, height, width) in [-1, 1] to an image."""
    array = ((picture.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    return Image.fromarray(np.ascontiguousarray(array))


def values_sheet() -> Image.Image:
    """One portrait with each attribute changed to each of its values in turn."""
    base = Portrait(hair="blue", ears="cat", clothes="yellow", background="sunset", eyes="green")
    changes = [(name, value) for name, values in ATTRIBUTES.items() for value in values]
    pictures = [draw(base.replace(**{name: value})) for name, value in changes]
    return sheet(pictures, [phrase(name, value) for name, value in changes], columns=8)


def drawings_sheet(count: int = 40) -> Image.Image:
    """Held-out portraits as they come."""
    return sheet([draw(held_out_portrait(i)) for i in range(count)], [""] * count, columns=8)


def reconstructions_sheet(drawings: Sequence[Image.Image], outputs: Tensor) -> Image.Image:
    """Drawings, each followed by what the autoencoder makes of it."""
    pictures = [
        item for pair in zip(drawings, map(to_image, outputs), strict=True) for item in pair
    ]
    return sheet(pictures, ["drawing", "reconstruction"] * len(drawings), columns=8)
