"""The pictures of one browser session: written as PNGs that carry what made them.

They lie in a folder of the session's own until the page is closed; people download what they like.
"""

import io
import secrets
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from PIL import Image

from imagic_lora.editing.picture import Picture
from imagic_lora.files import write_atomic
from imagic_lora.images.png import save_png
from imagic_lora.images.sheet import Cell, sheet


@dataclass(frozen=True)
class Print:
    """One picture that was made.

    Attributes:
        path: Its PNG.
        picture: The picture and what made it.
        label: What tells it apart from the others of its row.
        row: What its row of the grid has in common.
    """

    path: Path
    picture: Picture
    label: str
    row: str

    @property
    def caption(self) -> str:
        """What to write beneath it."""
        return f"{self.label}, {self.row}"


class Prints:
    """Writes the pictures of one run into a fresh folder.

    Args:
        folder: Where the session's files go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / secrets.token_hex(8)

    def save(self, picture: Picture, label: str, row: str) -> Print:
        """Write one picture."""
        path = self._folder / f"{_plain(label)}_{_plain(row)}.png"
        picture.save(path, force=True)
        return Print(path, picture, label, row)

    def save_input(self, image: Image.Image) -> Path:
        """Write the picture that was edited."""
        path = self._folder / "input.png"
        save_png(image, path, {}, force=True)
        return path

    def save_sheet(self, made: Sequence[Print], first: Image.Image) -> Path:
        """Write all pictures side by side, a row for each title, the input at its start."""
        rows = [(row, list(prints)) for row, prints in groupby(made, key=lambda each: each.row)]
        cells = [
            [Cell(first, "input"), *(Cell(each.picture.image, each.label) for each in prints)]
            for _, prints in rows
        ]
        titles = [f'"{prints[0].picture.target}", {row}' for row, prints in rows]
        records = [each.picture.record() for each in made]
        record = {"kind": "Sheet", "version": records[0]["version"], "pictures": records}
        path = self._folder / "sheet.png"
        save_png(sheet(cells, titles=titles), path, record, force=True)
        return path

    def save_all(self, made: Sequence[Print], others: Sequence[Path]) -> Path:
        """Write one archive of everything."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for path in [each.path for each in made] + list(others):
                archive.write(path, path.name)
        path = self._folder / "pictures.zip"
        write_atomic(path, buffer.getvalue(), force=True)
        return path


def _plain(label: str) -> str:
    """Return a label as part of a file's name."""
    return label.replace(" ", "_")
