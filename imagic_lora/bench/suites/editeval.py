"""EditEval v1: 50 edits of 50 photos, with both captions and an instruction; prompts alone.

Its scores were given by a judge that no longer exists, so they cannot be made again.
Source: Huang et al. 2024, arXiv 2402.17525.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from imagic_lora.bench.items import BadItemError, Item, Loaded, collect, readable, text
from imagic_lora.bench.suites.spreadsheet import rows_of
from imagic_lora.errors import InputError

WHERE = (
    "EditEval is the folder 'EditEval_v1' of github.com/SiatMMLab/"
    "Awesome-Diffusion-Model-Based-Image-Editing-Methods, with 'Dataset/' and "
    "'editing_prompts_collection.xlsx'"
)
_FOLDERS = {
    "addition": "object_addition",
    "replacement": "object_replacement",
    "remov": "object_removel",  # the authors' spelling
    "background": "background_change",
    "style": "style_change",
    "texture": "texture_change",
    "action": "action_change",
}
"""Folder of a section, by a part of its label."""

KINDS = tuple(_FOLDERS.values())
_ENDINGS = ("jpg", "jpeg", "png")


def load(data: Path) -> Loaded:
    """Return the items of EditEval v1.

    Args:
        data: The folder that holds 'Dataset' and the list of prompts, which may lie in 'Dataset'.

    Raises:
        InputError: When the list is missing, or is no spreadsheet.
    """
    name = "editing_prompts_collection.xlsx"
    path = next((p for p in (data / name, data / "Dataset" / name) if p.is_file()), None)
    if path is None:
        raise InputError(f"There is no '{data / name}'; {WHERE}.")
    return collect(_numbered(rows_of(path)), partial(_item, data / "Dataset"))


def _numbered(rows: list[list[str]]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the data rows with their section and number in it.

    The first row is the header and, in its first cell, the label of the first section; the label of
    any other stands in the first cell of its first row of data.
    """
    section, number = "", 0
    for line, cells in enumerate(rows):
        label, source, target, instruction = (*cells, "", "", "", "")[:4]
        if label.strip():
            section, number = label, 0
        if line == 0 or not (source or target or instruction):
            continue
        number += 1
        row = {"source": source, "target": target, "instruction": instruction}
        yield f"row {line + 1}", {"section": section, "number": str(number), **row}


def _item(folder: Path, _: str, row: Any) -> Item:
    label, number = text(row, "section"), text(row, "number")
    kind = next((name for part, name in _FOLDERS.items() if part in label.lower()), None)
    if kind is None:
        raise BadItemError(f"its section was '{label}', expected is one of {', '.join(_FOLDERS)}")
    files = (f"{kind}/{number}.{ending}" for ending in _ENDINGS)
    file = next((one for one in files if (folder / one).is_file()), f"{kind}/{number}.jpg")
    return Item(
        name=f"{kind}-{number}",
        kind=kind,
        picture=readable(folder, file),
        target=text(row, "target"),
        source=text(row, "source"),
        instruction=text(row, "instruction"),
        result=f"{kind}/{number}.png",
    )
