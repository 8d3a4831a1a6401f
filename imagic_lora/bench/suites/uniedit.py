"""UniEditBench: 633 pictures with captions and an instruction each, in nine kinds.

Its videos are left out. Source: Jiang et al. 2026, arXiv 2604.15871.
"""

import json
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
from imagic_lora.errors import InputError, quoted

WHERE = (
    "UniEditBench is the dataset wesar1/UniEditBench on the Hugging Face Hub, with 'images/' and its "
    "metadata in 'metadata.json' or 'metadata.jsonl'"
)
KINDS = (
    "add",
    "remove",
    "replace",
    "change",
    "stroke-based",
    "extract",
    "adjust",
    "count",
    "reorder",
)
_FILES = ("metadata.json", "images/metadata.json", "metadata.jsonl", "images/metadata.jsonl")


def load(data: Path) -> Loaded:
    """Return the items of UniEditBench.

    Args:
        data: The folder that holds 'images' and the metadata.

    Raises:
        InputError: When there are no metadata, or they are no list of rows.
    """
    path = next((data / name for name in _FILES if (data / name).is_file()), data / _FILES[0])
    rows = _lines(path) if path.suffix == ".jsonl" else read_json(path, WHERE)
    if not isinstance(rows, list):
        raise InputError(f"'{path}' is no JSON list; {WHERE}.")
    pictures = [row for row in rows if "/videos/" not in f"/{_path(row)}"]
    named = ((f"row {number}", row) for number, row in enumerate(pictures, start=1))
    return collect(named, partial(_item, data))


def _lines(path: Path) -> list[Any]:
    try:
        return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]
    except ValueError as error:
        raise InputError(f"'{path}' is no JSON lines ({error}); {WHERE}.") from error


def _path(row: Any) -> str:
    return str(row.get("path", "")) if isinstance(row, dict) else ""


def _item(data: Path, _: str, row: Any) -> Item:
    before, found, path = text(row, "path").rpartition("images/")
    if not found:
        raise BadItemError(f"'path' was {quoted(before or path)}, expected is one in 'images/'")
    kind = text(row, "edit_type").lower()
    if kind not in KINDS:
        raise BadItemError(f"'edit_type' was {quoted(kind)}, allowed is {', '.join(KINDS)}")
    return Item(
        name=inside(text(row, "id")),
        kind=kind,
        picture=readable(data / "images", path),
        target=text(row, "target_prompt"),
        source=text(row, "source_prompt"),
        instruction=text(row, "edited_prompt"),
        result=str(Path(path).with_suffix(".png")),
    )
