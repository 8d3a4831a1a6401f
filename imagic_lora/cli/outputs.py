"""From a grid of values to PNG files: names, checks, and the labelled sheet of all of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagic_lora.cli.terminal import Terminal
from imagic_lora.editing.picture import Picture
from imagic_lora.editing.sheets import Labelled, save_sheet
from imagic_lora.errors import OutputError
from imagic_lora.files import check_writable

SHEET = "sheet.png"
"""Name of the sheet in a folder of pictures."""

_OTHER_FORMATS = (".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")


@dataclass(frozen=True)
class Spot:
    """One picture of a grid, before it is made.

    Attributes:
        name: Its file name in a folder.
        row: Title of its row of the sheet.
        label: What tells it apart from the others of its row.
        values: What to make it with, as keywords.
    """

    name: str
    row: str
    label: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Gallery:
    """Where the pictures of one command go, each place checked before the heavy work.

    Attributes:
        spots: The pictures, row by row.
        out: A .png for the only picture, or a folder.
        force: Whether files that exist already may be replaced.

    Raises:
        OutputError: When a file exists already, cannot be written, or cannot hold the pictures.
    """

    spots: Sequence[Spot]
    out: Path
    force: bool

    def __post_init__(self) -> None:
        suffix = self.out.suffix.lower()
        if suffix in _OTHER_FORMATS:
            raise OutputError(
                f"'{self.out}' ends in {suffix}; pictures are written as PNG: give a name that "
                "ends in .png, or a folder."
            )
        if self._is_file and len(self.spots) > 1:
            raise OutputError(
                f"{len(self.spots)} pictures were asked for, but '{self.out}' is one file; "
                "give a folder."
            )
        names = [spot.name for spot in self.spots] + ([SHEET] if self._has_sheet else [])
        for name in names:
            check_writable(self._path(name), force=self.force)

    @property
    def _is_file(self) -> bool:
        """Whether the output is one file, not a folder."""
        return self.out.suffix.lower() == ".png"

    @property
    def _has_sheet(self) -> bool:
        """Whether there is more than one picture to put on a sheet."""
        return len(self.spots) > 1

    def _path(self, name: str) -> Path:
        """Return where the picture of that name goes."""
        return self.out if self._is_file else self.out / name

    def fill(self, make: Callable[..., Picture], terminal: Terminal) -> None:
        """Make and save one picture after another, and the sheet once all are there.

        Args:
            make: Makes a picture from a spot's values and an `on_progress`.
            terminal: Where to show progress and say what was made.
        """
        made: list[Labelled] = []
        for number, spot in enumerate(self.spots, start=1):
            count = f"[{number}/{len(self.spots)}] " if self._has_sheet else ""
            show = terminal.progress(f"{count}{spot.label}, {spot.row}")
            picture = make(**spot.values, on_progress=show)
            picture.save(self._path(spot.name), force=self.force)
            made.append(Labelled(picture, spot.label, spot.row))
        if not self._has_sheet:
            terminal.tell(f"Wrote {self._path(self.spots[0].name)}.")
            return
        save_sheet(self._path(SHEET), made, force=self.force)
        terminal.tell(f"Wrote {len(made)} pictures to {self.out}, side by side in {SHEET}.")
