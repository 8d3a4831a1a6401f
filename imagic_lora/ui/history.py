"""The runs of edits that were made: one file each, of one folder, which outlives the sessions."""

import hashlib
import re
import shutil
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from imagic_lora.editing.recipe import Recipe
from imagic_lora.errors import ImageError, ImagicError, OutputError, quoted
from imagic_lora.files import write_atomic
from imagic_lora.ui import packing
from imagic_lora.ui.jobs.edit import SweepState
from imagic_lora.ui.readings import Readings

MOST_RUNS = 200
"""Runs that are kept; the oldest goes first."""

MOST_BYTES = 2_000_000_000
"""Most that all of them take."""

_SUFFIX = ".zip"
_PICTURE = 16
"""Digits by which the runs of a picture are told from those of others."""

_GONE = "That run is not here any more; choose another."
_NAME = re.compile(r"[0-9a-f]{16}-(\d{8}-\d{6}-\d{6})")
_TIME = "%Y%m%d-%H%M%S-%f"
_MOST_SIDE = 1024
"""Longest side, in pixels, of a small picture that is shown."""


@dataclass(frozen=True)
class PastRun:
    """One run that was made.

    Attributes:
        name: Its file's name, without the ending.
        when: When it was over.
        recipe: What made its pictures.
        small: A small picture of it.
    """

    name: str
    when: datetime
    recipe: Recipe
    small: Path

    def is_of(self, image_sha256: str) -> bool:
        """Return whether it is of a picture, by the picture's hash."""
        return self.name.startswith(_key(image_sha256))


@dataclass(frozen=True)
class Shelf:
    """What lay in the folder when it was looked at.

    Attributes:
        runs: What can be read, newest first.
        unreadable: Why each of the other files cannot be used, by name.
    """

    runs: tuple[PastRun, ...]
    unreadable: Mapping[str, str]

    def find(self, name: str) -> PastRun:
        """Return one run by name.

        Raises:
            ImageError: When there is none of that name, as another page may have deleted it.
        """
        for run in self.runs:
            if run.name == name:
                return run
        raise ImageError(_GONE)


class History:
    """The runs of one folder.

    Args:
        folder: Where they lie; it is made when the first one is kept.
        drawings: Where to put small pictures of them.
    """

    def __init__(self, folder: Path, drawings: Path) -> None:
        self._folder, self._drawings = folder, drawings
        self._readings = Readings(self._read)

    def keep(self, image_sha256: str, run: SweepState) -> None:
        """Keep a run whose pictures are written; the oldest go where there are too many.

        Args:
            image_sha256: Hash of the picture that was edited.
            run: Its pictures.

        Raises:
            OutputError: When it cannot be written.
        """
        stamp = datetime.now(timezone.utc).strftime(_TIME)
        path = self._path(f"{_key(image_sha256)}-{stamp}")
        try:
            write_atomic(path, packing.pack(run))
        except OutputError as error:
            said = str(error).replace(quoted(str(path)), quoted(path.name))
            raise OutputError(said) from error
        self._prune()

    def look(self) -> Shelf:
        """Return what lies in the folder, read once."""
        found = self._readings.of(self._files())
        runs = [run for run in found.values() if isinstance(run, PastRun)]
        return Shelf(
            tuple(sorted(runs, key=lambda run: run.when, reverse=True)),
            {name: why for name, why in found.items() if isinstance(why, str)},
        )

    def open(self, run: PastRun, folder: Path) -> SweepState:
        """Return a run as it was when it was over.

        Args:
            run: The run.
            folder: Where a folder of its pictures goes.

        Raises:
            ImageError: When it is not there any more, or cannot be used.
        """
        path, place = self._path(run.name), folder / run.name
        try:
            pictures = packing.unpack(path, place)
            archive = Path(shutil.copy(path, place / "pictures.zip"))
        except FileNotFoundError as error:
            raise ImageError(_GONE) from error
        except (OSError, zipfile.BadZipFile) as error:
            raise ImageError(f"'{run.name}' cannot be read ({type(error).__name__}).") from error
        return packing.reopened(run.recipe, pictures, archive)

    def delete(self, name: str) -> None:
        """Delete a run's file.

        Raises:
            ImageError: When there is none of that name.
        """
        self._path(self.look().find(name).name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        """Return where the run of a name lies."""
        return self._folder / (name + _SUFFIX)

    def _files(self) -> list[Path]:
        """Return the files that might be runs, oldest first: plain ones, in the folder itself."""
        if not self._folder.is_dir():
            return []
        paths = [path for path in self._folder.iterdir() if path.suffix == _SUFFIX]
        found = [path for path in paths if _NAME.fullmatch(path.stem) and not path.is_symlink()]
        return sorted(
            (path for path in found if path.is_file()), key=lambda path: path.stem[_PICTURE:]
        )

    def _prune(self) -> None:
        """Delete the oldest runs where there are too many, or too much of them."""
        left, room = MOST_RUNS, MOST_BYTES
        for path in reversed(self._files()):
            with suppress(OSError):  # another page has just deleted it, or it cannot be
                left, room = left - 1, room - path.stat().st_size
                if left < 0 or room < 0:
                    path.unlink()

    def _read(self, path: Path) -> PastRun | str:
        """Return what a file holds, or why it cannot be used."""
        try:
            return self._run(path)
        except ImagicError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001  one file must never hide the others
            return f"'{path.name}' cannot be used ({type(error).__name__})."

    def _run(self, path: Path) -> PastRun:
        """Return what is shown of a run."""
        place = self._drawings / path.stem
        packing.unpack(path, place, only=(packing.SHEET, packing.SMALL))
        recipe = packing.recipe_in(place / packing.SHEET)
        (place / packing.SHEET).unlink()
        packing.redraw(place / packing.SMALL, _MOST_SIDE)
        when = datetime.strptime(path.stem[_PICTURE + 1 :], _TIME).replace(tzinfo=timezone.utc)
        return PastRun(path.stem, when.astimezone(), recipe, place / packing.SMALL)


def _key(image_sha256: str) -> str:
    """Return what the names of a picture's runs begin with; a record's hash may be any text."""
    return hashlib.sha256(image_sha256.encode()).hexdigest()[:_PICTURE]
