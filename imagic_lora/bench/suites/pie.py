"""PIE-Bench: 700 pictures of 512 x 512 with captions, instructions and masks, in ten kinds.

Source: Ju et al. 2023, arXiv 2310.01506.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from imagic_lora.bench.items import (
    BadItemError,
    Item,
    Loaded,
    collect,
    inside,
    read_json,
    readable,
    text,
)
from imagic_lora.bench.masks import SIDE, Mask
from imagic_lora.errors import InputError, quoted
from imagic_lora.images.reading import opened

WHERE = (
    "PIE-Bench must be asked for by the form in the README of github.com/cure-lab/PnPInversion; its "
    "folder 'data' has 'mapping_file.json' and 'annotation_images/'"
)
KINDS = (
    "random",
    "change object",
    "add object",
    "delete object",
    "change content",
    "change pose",
    "change colour",
    "change material",
    "change background",
    "change style",
)
"""By the number that the authors give to each."""


def load(data: Path) -> Loaded:
    """Return the items of PIE-Bench.

    Args:
        data: The folder that holds 'mapping_file.json' and 'annotation_images'.

    Raises:
        InputError: When the list is missing, or is no JSON object.
    """
    rows = read_json(data / "mapping_file.json", WHERE)
    if not isinstance(rows, Mapping):
        raise InputError(f"'{data / 'mapping_file.json'}' is no JSON object; {WHERE}.")
    return collect(rows.items(), partial(_item, data))


def _item(data: Path, name: str, row: Any) -> Item:
    path = inside(text(row, "image_path"))
    picture = readable(data / "annotation_images", path)
    with opened(picture) as image:
        if image.size != (SIDE, SIDE):
            raise BadItemError(f"the picture is {image.size}, allowed is {SIDE} x {SIDE} pixels")
    return Item(
        name=inside(name),
        kind=_kind(row),
        picture=picture,
        target=_caption(row, "editing_prompt"),
        source=_caption(row, "original_prompt"),
        instruction=str(row.get("editing_instruction", "")),
        result=f"annotation_images/{path}",
        mask=Mask(_runs(row.get("mask"))),
    )


def _caption(row: Any, key: str) -> str:
    """Return a caption without the brackets around the words that differ."""
    return text({key: text(row, key).replace("[", "").replace("]", "")}, key)


def _kind(row: Any) -> str:
    number = text(row, "editing_type_id")
    if number not in map(str, range(len(KINDS))):
        raise BadItemError(f"'editing_type_id' was {quoted(number)}, allowed is '0' to '9'")
    return KINDS[int(number)]


def _runs(mask: Any) -> tuple[int, ...]:
    """Return the runs of a mask: a start and a length in turn."""
    if not isinstance(mask, list) or len(mask) % 2 or not all(_is_place(one) for one in mask):
        raise BadItemError(
            f"'mask' was {quoted(mask)}, expected is a start and a length of at most {SIDE**2} in turn"
        )
    return tuple(mask)


def _is_place(value: Any) -> bool:
    return type(value) is int and 0 <= value <= SIDE**2
