"""GEdit-Bench, GEditBench v2 and GenArena: edits by instruction, whose own judges score pictures.

Nothing is scored here as they score it: pictures are exported where their tools look for them.
Captions come from a file, see `Loaded.captioned`. A folder has a line for each item, and pictures in
files; what their authors keep in Arrow or parquet files is unpacked to that.
Source: Liu et al. 2025, arXiv 2504.17761; Jiang et al. 2026, arXiv 2603.28547; Li et al. 2026,
arXiv 2602.06013.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from imagic_lora.bench.data.columnar import LIST, PATTERNS, Table
from imagic_lora.bench.data.packing import Packing
from imagic_lora.bench.items import (
    BadItemError,
    Item,
    Loaded,
    collect,
    inside,
    readable,
    text,
)
from imagic_lora.errors import InputError, quoted

GEDIT_KINDS = (
    "background_change",
    "color_alter",
    "material_alter",
    "motion_change",
    "ps_human",
    "style_change",
    "subject-add",
    "subject-remove",
    "subject-replace",
    "text_change",
    "tone_transfer",
)
ANY = ("any",)
_GEDIT = "the dataset stepfun-ai/GEdit-Bench"
_GEDIT_V2 = "the dataset GEditBench-v2/GEditBench-v2"
_GENARENA = "the dataset rhli/genarena, its folder 'basic'"


def _packing(*columns: str, picture: str, **more: Any) -> Packing:
    return Packing(PATTERNS, (LIST,), Table(columns, picture, **more).unpack)


GEDIT_PACKING = _packing(
    "key",
    "task_type",
    "instruction",
    "instruction_language",
    picture="input_image_raw",
    only={"instruction_language": "en"},
)
GEDIT_V2_PACKING = _packing(
    "key", "task", "instruction", picture="source_image", named="source_image"
)
GENARENA_PACKING = _packing("index", "task_type", "instruction", picture="input_images")


def load_gedit(data: Path) -> Loaded:
    """Return the items of GEdit-Bench in English.

    Args:
        data: The folder that holds 'metadata.jsonl' with columns of the dataset, and of each item
            its picture by 'file_name'.

    Raises:
        InputError: When the list is missing, or is no JSON lines.
    """
    rows = _lines(data, _GEDIT)
    english = [row for row in rows if _field(row, "instruction_language", "en") == "en"]
    return _loaded(english, partial(_gedit, data))


def load_gedit_v2(data: Path) -> Loaded:
    """Return the items of GEditBench v2.

    Args:
        data: The folder that holds 'metadata.jsonl' with the key, instruction and picture of each
            item.

    Raises:
        InputError: When the list is missing, or is no JSON lines.
    """
    return _loaded(_lines(data, _GEDIT_V2), partial(_gedit_v2, data))


def load_genarena(data: Path) -> Loaded:
    """Return the items of GenArena's subset of edits of one picture.

    Args:
        data: The folder that holds 'metadata.jsonl' with columns of the dataset, and of each item
            its picture by 'file_name'.

    Raises:
        InputError: When the list is missing, or is no JSON lines.
    """
    return _loaded(_lines(data, _GENARENA), partial(_genarena, data))


def _lines(data: Path, where: str) -> list[Any]:
    """Return the rows of a list."""
    path = data / LIST
    try:
        return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise InputError(
            f"There is no '{path}', and no Arrow or parquet file that could be unpacked to it; it comes "
            f"from {where} on the Hugging Face Hub, by --data hub."
        ) from error
    except ValueError as error:
        raise InputError(f"'{path}' is no JSON lines ({error}); unpack {where} again.") from error


def _loaded(rows: list[Any], make: Callable[[str, Any], Item]) -> Loaded:
    return collect(((f"row {number}", row) for number, row in enumerate(rows, start=1)), make)


def _field(row: Any, key: str, default: str = "") -> str:
    return str(row.get(key, default)) if isinstance(row, dict) else default


def _gedit(data: Path, _: str, row: Any) -> Item:
    key, kind = inside(text(row, "key")), text(row, "task_type")
    if kind not in GEDIT_KINDS:
        raise BadItemError(f"'task_type' was {quoted(kind)}, allowed is {', '.join(GEDIT_KINDS)}")
    picture = readable(data, text(row, "file_name"))
    result = f"fullset/{kind}/en/{key}.png"
    return Item(key, kind, picture, "", result, instruction=text(row, "instruction"))


def _gedit_v2(data: Path, _: str, row: Any) -> Item:
    key, picture = inside(text(row, "key")), readable(data, text(row, "source_image"))
    return Item(key, ANY[0], picture, "", f"{key}.png", instruction=text(row, "instruction"))


def _genarena(data: Path, _: str, row: Any) -> Item:
    number = row.get("index") if isinstance(row, dict) else None
    if type(number) is not int or number < 0:
        raise BadItemError(f"'index' was {quoted(number)}, expected is a whole number")
    picture, name = readable(data, text(row, "file_name")), f"{number:06d}"
    return Item(name, ANY[0], picture, "", f"{name}.png", instruction=text(row, "instruction"))
