"""Which edited pictures there are: those of a run's methods, and those that anybody else has made."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.edits.study import Run, picture_path
from benchmarks.field.items import Item
from benchmarks.field.methods import row_name
from imagic_lora.errors import InputError

_NAMED = 5
"""Missing pictures that are named; the rest are counted."""


@dataclass(frozen=True)
class Made:
    """A picture that came back for an item.

    Attributes:
        row: Row of the table that it belongs to.
        item: The item.
        path: Its file.
    """

    row: str
    item: Item
    path: Path


def of_run(run: Run, items: Iterable[Item]) -> list[Made]:
    """Return the pictures of the finished cases of a run, row by row.

    Args:
        run: The run.
        items: Its items.
    """
    by_name = {item.name: item for item in items}
    made = [
        Made(
            row_name(record["method"], strength),
            by_name[record["case"]],
            picture_path(run.folder, record["method"], record["case"], float(strength)),
        )
        for record in run.records
        for strength in record["scores"]
    ]
    rows = {one.row: position for position, one in reversed([*enumerate(made)])}
    return sorted(made, key=lambda one: rows[one.row])


def of_folder(row: str, folder: Path, items: Sequence[Item]) -> list[Made]:
    """Return the pictures of a folder that has them where the authors' own tools look for them.

    Args:
        row: What to call its row.
        folder: The folder.
        items: The items that there must be a picture of.

    Raises:
        InputError: When some are missing.
    """
    made = [Made(row, item, folder / item.result) for item in items]
    missing = [one.item.result for one in made if not one.path.is_file()]
    if missing:
        named = ", ".join(missing[:_NAMED])
        rest = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise InputError(
            f"Of the {len(items)} pictures that '{folder}' should have, {len(missing)} are missing: "
            f"{named}{rest}; add them, or score fewer items by --limit."
        )
    return made
