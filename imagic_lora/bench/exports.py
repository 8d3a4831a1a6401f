"""Edited pictures where the authors' own tools look for them, so that those can confirm a report."""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any

from imagic_lora.bench.made import Made
from imagic_lora.bench.metrics.base import Pair
from imagic_lora.images.reading import open_image

Layout = Callable[[Path, str], Path]
"""From the folder of exports and a row to the folder of its pictures."""


def export(benchmark: str, made: Sequence[Made], folder: Path) -> None:
    """Write a folder for each row, with its pictures at the size of the inputs.

    Args:
        benchmark: Name of the benchmark.
        made: The pictures.
        folder: Holds the folders.
    """
    layout = _LAYOUTS.get(benchmark, _plain)
    for row in dict.fromkeys(one.row for one in made):
        own = layout(folder, _slug(row))
        of_row = [one for one in made if one.row == row]
        for one in of_row:
            _copy(one, own / one.item.result)
        _list(_OF_ROW.get(benchmark), of_row, own)
    _list(_OF_ALL.get(benchmark), made, folder)


def _slug(row: str) -> str:
    """Return the name of a row's folder."""
    return row.replace(", ", "-").replace(" ", "-")


def _list(asked: "_List | None", made: Sequence[Made], folder: Path) -> None:
    """Write a list of pictures, where the tools want one."""
    if asked is not None:
        name, rows = asked
        _write(folder / name, rows(made, folder))


def _plain(folder: Path, row: str) -> Path:
    return folder / row


def _arena(folder: Path, row: str) -> Path:
    """Return where GenArena looks for a model: its experiment is dated, and the model is in it."""
    today = f"{datetime.now(timezone.utc):%Y%m%d}"
    there = sorted((folder / "basic" / "models").glob(f"imagic-lora_{row}_*"))
    return (there or [folder / "basic" / "models" / f"imagic-lora_{row}_{today}"])[-1] / row


def _copy(one: Made, path: Path) -> None:
    """Copy a picture, or scale it; a name that ends in .jpg may hold a PNG, as readers look inside."""
    path.parent.mkdir(parents=True, exist_ok=True)
    edited = open_image(one.path)
    pair = Pair.of(one.item, edited)
    if edited.size == pair.before.size:
        shutil.copyfile(one.path, path)
    else:
        pair.after.save(path, "PNG")


def _write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a list: a name that ends in .jsonl has a row a line."""
    if path.suffix == ".jsonl":
        text = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    else:
        text = json.dumps([*rows], indent=2, ensure_ascii=False) + "\n"
    path.write_text(text, "utf-8")


def _uniedit(made: Sequence[Made], folder: Path) -> list[dict[str, Any]]:
    """Return the metadata that the judge of UniEditBench is given."""
    rows = []
    for one in made:
        width, height = open_image(one.item.picture).size
        rows.append(
            {
                "id": one.item.name,
                "path": str(one.item.picture.resolve()),
                "width": width,
                "height": height,
                "source_prompt": one.item.source,
                "target_prompt": one.item.target,
                "edited_prompt": one.item.instruction,
                "edit_type": one.item.kind,
                "edit_model": one.row,
                "edit_path": str((folder / one.item.result).resolve()),
            }
        )
    return rows


def _evalscope(made: Sequence[Made], folder: Path) -> list[dict[str, Any]]:
    """Return the `local_file` that EvalScope reads GEdit-Bench's pictures from, wherever it runs."""
    return [
        {"id": one.item.name, "image_path": str((folder / one.item.result).resolve())}
        for one in made
    ]


def _gallery(made: Sequence[Made], folder: Path) -> list[dict[str, Any]]:
    """Return the metadata of GEditBench v2's gallery: an item with a candidate of each row."""
    return [
        {
            "key": item.name,
            "instruction": item.instruction,
            "source_image": os.path.relpath(item.picture.resolve(), folder.resolve()),
            "candidates": [
                {"model": _slug(one.row), "image": f"{_slug(one.row)}/{item.result}"}
                for one in made
                if one.item == item
            ],
        }
        for item in dict.fromkeys(one.item for one in made)
    ]


_LAYOUTS: Mapping[str, Layout] = MappingProxyType({"genarena": _arena})

_List = tuple[str, Callable[[Sequence[Made], Path], list[dict[str, Any]]]]

_OF_ROW: Mapping[str, _List] = MappingProxyType(
    {"uniedit": ("metadata.json", _uniedit), "gedit": ("pictures.jsonl", _evalscope)}
)
"""Lists that lie beside the pictures of each row."""

_OF_ALL: Mapping[str, _List] = MappingProxyType({"gedit2": ("metadata.jsonl", _gallery)})
"""Lists that lie beside the folders of all rows."""
