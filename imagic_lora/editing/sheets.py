"""Pictures side by side on one PNG that carries what made each of them.

Knows nothing of how the pictures are made; how a page of pictures is drawn is `images/sheet`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from os import PathLike
from pathlib import Path

from PIL import Image

from imagic_lora.editing.picture import Picture
from imagic_lora.errors import InputError
from imagic_lora.images.png import save_png
from imagic_lora.images.sheet import Cell, sheet


@dataclass(frozen=True)
class Labelled:
    """A picture and its place on a sheet.

    Attributes:
        picture: The picture and what made it.
        label: What to write beneath it: what tells it apart from the others of its row.
        row: What to write above its row; pictures that follow each other under one title share it.
    """

    picture: Picture = field(repr=False)
    label: str
    row: str = ""


def save_sheet(
    path: str | PathLike[str],
    pictures: Sequence[Labelled],
    *,
    first: Image.Image | None = None,
    force: bool = False,
) -> None:
    """Write one PNG of many pictures, with the records of all.

    Args:
        path: Where to.
        pictures: The pictures, row by row, at least one.
        first: The input, to show at the start of every row.
        force: Replace a file that exists.

    Raises:
        InputError: When there is no picture.
        OutputError: When the file cannot be written, or exists and force is False.
    """
    if not pictures:
        raise InputError("A sheet needs at least one picture; it was given none.")
    beginning = [] if first is None else [Cell(first, "input")]
    rows, titles = [], []
    for title, row in groupby(pictures, key=lambda each: each.row):
        rows.append([*beginning, *(Cell(each.picture.image, each.label) for each in row)])
        titles.append(title)
    records = [each.picture.record() for each in pictures]
    for later in records[1:]:  # which were made under the same mask
        if later.get("mask") == records[0].get("mask"):
            later.pop("mask", None)
    record = {"kind": "Sheet", "version": records[0]["version"], "pictures": records}
    drawn = sheet(rows, titles=titles if any(titles) else ())
    save_png(drawn, Path(path), record, force=force)
