"""TEdBench: 100 edits of 40 photos, with a target caption each; and its sequel TEdBench++.

Source: Kawar et al. 2022, arXiv 2210.09276; Brack et al. 2023, arXiv 2311.16711.
"""

import csv
from functools import partial
from pathlib import Path
from typing import Any

from imagic_lora.bench.items import Item, Loaded, collect, readable, rows_in, text
from imagic_lora.errors import InputError

WHERE = (
    "TEdBench is the folder 'tedbench' of github.com/imagic-editing/imagic-editing.github.io, with "
    "'input_list.json' and 'originals/'"
)
WHERE_PLUS = (
    "TEdBench++ is the dataset AIML-TUDA/TEdBench_plusplus on the Hugging Face Hub, with "
    "'tedbench++.csv' and 'originals/'"
)
KINDS = ("any",)


def load(data: Path) -> Loaded:
    """Return the items of TEdBench.

    Args:
        data: The folder that holds 'input_list.json' and 'originals'.

    Raises:
        InputError: When the list is missing, or is no JSON list.
    """
    return collect(rows_in(data / "input_list.json", WHERE), partial(_item, data))


def load_plus(data: Path) -> Loaded:
    """Return the items of TEdBench++; of its columns two are used, 'img_name' and 'target_text'.

    Args:
        data: The folder that holds 'tedbench++.csv' and 'originals'.

    Raises:
        InputError: When the list is missing.
    """
    path = data / "tedbench++.csv"
    if not path.is_file():
        raise InputError(f"There is no '{path}'; {WHERE_PLUS}.")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return collect(
        ((f"line {n}", row) for n, row in enumerate(rows, start=2)), partial(_item, data)
    )


def _item(data: Path, _: str, row: Any) -> Item:
    """Return the item of a row; its result is named as the authors name theirs, typos and all."""
    picture, target = text(row, "img_name"), text(row, "target_text")
    name = f"{picture}-{target.removesuffix('.').replace(' ', '_')}".replace("/", "_")
    file = readable(data / "originals", picture)
    return Item(name, KINDS[0], file, target, result=f"{name}.png")
