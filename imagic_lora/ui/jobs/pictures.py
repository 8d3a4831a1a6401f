"""The pictures of one browser session: written as PNGs that carry what made them.

They lie in a folder of the session's own until the page is closed; people download what they like.
"""

import io
import secrets
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from imagic_lora.editing.picture import Edit, Picture
from imagic_lora.editing.sheets import Labelled, save_sheet
from imagic_lora.files import write_atomic
from imagic_lora.images.png import save_png


@dataclass(frozen=True)
class SavedPicture:
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


@dataclass(frozen=True)
class SavedEdit(SavedPicture):
    """One edit that was made: it stands in its seed's row, at its strength."""

    picture: Edit

    @classmethod
    def of(cls, path: Path, edit: Edit) -> "SavedEdit":
        """Return an edit that is written."""
        return cls(path, edit, f"alpha {edit.alpha:g}", f"seed {edit.settings.seed}")

    @property
    def alpha(self) -> float:
        """Its strength."""
        return self.picture.alpha

    @property
    def seed(self) -> int:
        """Its seed."""
        return self.picture.settings.seed


class PictureFolder:
    """Writes the pictures of one run into a fresh folder.

    Args:
        folder: Where the session's files go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / secrets.token_hex(8)

    def save(self, picture: Picture, label: str, row: str) -> SavedPicture:
        """Write one picture."""
        path = self._folder / f"{_plain(label)}_{_plain(row)}.png"
        picture.save(path, force=True)
        return SavedPicture(path, picture, label, row)

    def save_edit(self, edit: Edit) -> SavedEdit:
        """Write one edit."""
        path = self._folder / f"alpha_{edit.alpha:g}_seed_{edit.settings.seed}.png"
        edit.save(path, force=True)
        return SavedEdit.of(path, edit)

    def save_input(self, image: Image.Image) -> Path:
        """Write the picture that was edited."""
        path = self._folder / "input.png"
        save_png(image, path, {}, force=True)
        return path

    def save_seen(self, image: Image.Image) -> Path:
        """Write the picture as the model can show it."""
        path = self._folder / "seen.png"
        save_png(image, path, {}, force=True)
        return path

    def save_preview(self, image: Image.Image) -> Path:
        """Write what a fit has learned so far."""
        path = self._folder / "preview.png"
        save_png(image, path, {}, force=True)
        return path

    def save_sheet(self, made: Sequence[SavedPicture], first: Image.Image) -> Path:
        """Write all pictures side by side, a row for each title, the input at its start."""
        path = self._folder / "sheet.png"
        labelled = [
            Labelled(each.picture, each.label, f'"{each.picture.target}", {each.row}')
            for each in made
        ]
        save_sheet(path, labelled, first=first, force=True)
        return path

    def save_all(self, made: Sequence[SavedPicture], others: Sequence[Path]) -> Path:
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
