"""Anybody's own pictures: a folder with a list of edits, in a layout that is made by hand."""

from functools import partial
from pathlib import Path
from typing import Any

from imagic_lora.bench.items import (
    BadItemError,
    Item,
    Loaded,
    collect,
    inside,
    readable,
    rows_in,
    text,
)
from imagic_lora.bench.masks import PaintedMask
from imagic_lora.images.reading import open_image, open_mask

LIST = "items.json"
"""Name of the list."""

KIND = "any"
"""Kind of an edit whose kind is not said."""

WHERE = (
    "your own pictures are a folder with a list 'items.json' of edits, each at least "
    '{"name": ..., "picture": FILE, "target": ...}'
)
_KNOWN = ("name", "kind", "picture", "target", "source", "instruction", "mask", "ideal")


def load(data: Path) -> Loaded:
    """Return the items of a folder.

    Args:
        data: The folder that holds 'items.json' and the pictures that it names.

    Raises:
        InputError: When the list is missing, or is no JSON list.
    """
    return collect(rows_in(data / LIST, WHERE), partial(_item, data))


def _item(data: Path, _: str, row: Any) -> Item:
    """Return the item of a row; what the row has besides the known fields is its notes."""
    name, picture = inside(text(row, "name")), readable(data, text(row, "picture"))
    return Item(
        name=name,
        kind=text(row, "kind") if "kind" in row else KIND,
        picture=picture,
        target=text(row, "target"),
        source=text(row, "source") if "source" in row else None,
        instruction=text(row, "instruction") if "instruction" in row else "",
        result=f"{name}.png",
        mask=_mask(data, text(row, "mask"), picture) if "mask" in row else None,
        ideal=readable(data, text(row, "ideal")) if "ideal" in row else None,
        notes={key: value for key, value in row.items() if key not in _KNOWN},
    )


def _mask(data: Path, path: str, picture: Path) -> PaintedMask:
    """Return a mask, which has the size of its picture."""
    file = data / inside(path)
    size, expected = open_mask(file).size, open_image(picture).size
    if size != expected:
        raise BadItemError(f"its mask is {size}, allowed is the size of the picture, {expected}")
    return PaintedMask(file)
