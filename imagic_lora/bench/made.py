"""Which edited pictures there are: a run's, the rivals', and those that anybody else has made."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from imagic_lora.bench.items import Item
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

    @cached_property
    def digest(self) -> str:
        """Tells the picture from others, by what is in its file."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()[:16]


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
