"""Edited pictures where the authors' own tools look for them, so that those can confirm a report."""

import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.field.metrics.base import Pair
from benchmarks.field.pictures import Made
from imagic_lora.images.reading import open_image


def export(benchmark: str, made: Sequence[Made], folder: Path) -> None:
    """Write a folder for each row, with its pictures at the size of the inputs.

    Args:
        benchmark: Name of the benchmark.
        made: The pictures.
        folder: Holds the folders.
    """
    for row in dict.fromkeys(one.row for one in made):
        own = folder / row.replace(", ", "-").replace(" ", "-")
        of_row = [one for one in made if one.row == row]
        for one in of_row:
            _copy(one, own / one.item.result)
        if benchmark == "uniedit":
            rows = _uniedit(of_row, own)
            (own / "metadata.json").write_text(json.dumps(rows, indent=2) + "\n", "utf-8")


def _copy(one: Made, path: Path) -> None:
    """Copy a picture, or scale it; a name that ends in .jpg may hold a PNG, as readers look inside."""
    path.parent.mkdir(parents=True, exist_ok=True)
    edited = open_image(one.path)
    pair = Pair.of(one.item, edited)
    if edited.size == pair.before.size:
        shutil.copyfile(one.path, path)
    else:
        pair.after.save(path, "PNG")


def _uniedit(made: Iterable[Made], folder: Path) -> list[dict[str, Any]]:
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
