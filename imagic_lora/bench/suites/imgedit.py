"""ImgEdit-Bench Basic: edits of 171 pictures by instruction; the seven kinds that captions can say.

What is extracted or composed has no caption that a caption editor could start from, so these two
kinds are left out. Captions of the others come from a file, see `Loaded.captioned`.
Source: Ye et al. 2025, arXiv 2505.20275.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from imagic_lora.bench.data.archive import Archive
from imagic_lora.bench.data.packing import Packing
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
    "ImgEdit-Bench is 'Benchmark.tar' of the dataset sysuyy/ImgEdit on the Hugging Face Hub, with its "
    "pictures and 'singleturn.json'; 'basic_edit.json' of github.com/PKU-YuanGroup/ImgEdit is the same"
)
LISTS = ("basic_edit.json", "singleturn.json", "singleturn/singleturn.json")
"""Where the list of edits may be: the names of the repository and of the archive."""

PACKING = Packing(
    ("Benchmark.tar",), LISTS, Archive("Benchmark/singleturn", (".jpg", ".json", ".png")).unpack
)
KINDS = ("add", "adjust", "replace", "remove", "background", "style", "action")
_LEFT_OUT = ("extract", "compose")


def load(data: Path) -> Loaded:
    """Return the items of ImgEdit-Bench Basic that a caption can ask for.

    Args:
        data: The folder that holds the list, and the pictures there or in 'singleturn'.

    Raises:
        InputError: When the list is missing, or is no JSON object.
    """
    path = next((data / name for name in LISTS if (data / name).is_file()), data / LISTS[0])
    rows = read_json(path, WHERE)
    if not isinstance(rows, Mapping):
        raise InputError(f"'{path}' is no JSON object; {WHERE}.")
    inner = data / "singleturn"
    folder = inner if inner.is_dir() else data
    kept = ((name, row) for name, row in rows.items() if _kind(row) not in _LEFT_OUT)
    return collect(kept, partial(_item, folder))


def _kind(row: Any) -> str:
    return str(row.get("edit_type", "")).lower() if isinstance(row, Mapping) else ""


def _item(folder: Path, name: str, row: Any) -> Item:
    kind = _kind(row)
    if kind not in KINDS:
        allowed = ", ".join((*KINDS, *_LEFT_OUT))
        raise BadItemError(f"'edit_type' was {quoted(kind)}, allowed is {allowed}")
    return Item(
        name=inside(name),
        kind=kind,
        picture=readable(folder, text(row, "id")),
        target="",
        instruction=text(row, "prompt"),
        result=f"{name}.png",
    )
