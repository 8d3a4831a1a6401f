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
    height = TILE + LINE * max(len(lines) for lines in wrapped) + GAP
    rows = -(-len(pictures) // columns)
    page = Image.new("RGB", (columns * (TILE + GAP) + GAP, rows * height + GAP), PAPER)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(10)
    for index, (picture, lines) in enumerate(zip(pictures, wrapped, strict=True)):
        row, column = divmod(index, columns)
        left, top = GAP + column * (TILE + GAP), GAP + row * height
        page.paste(picture.resize((TILE, TILE), Image.Resampling.LANCZOS), (left, top))
        pen.multiline_text((left, top + TILE), "\n".join(lines), TEXT, font, spacing=1)
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
