"""The adapters of one folder: listed, taken in, renamed, deleted; nothing outside it is touched.

Every file is read by `Adapter.load`, which believes nothing; a name is a name, never a path.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.adapters.keeping import keep
from imagic_lora.adapters.record import FitRecord
from imagic_lora.errors import AdapterError, ImageError, OutputError, quoted
from imagic_lora.images.reading import open_image, opened
from imagic_lora.ui.readings import Readings

SUFFIX = ".safetensors"

_LONGEST = 80
_MOST_SIDE = 1024
"""Longest side, in pixels, of a thumbnail that is shown."""
_NAME = re.compile(r"\w[\w .,()+-]*")
_DEVICE = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9¹²³])\s*(\..*)?", re.IGNORECASE)
"""What Windows takes for devices, whatever follows the first dot."""

_BROKEN = "something in it is not as it should be"


@dataclass(frozen=True)
class Entry:
    """One adapter of the folder.

    Attributes:
        name: Its file's name, without the ending.
        record: What was fitted and how.
        sha256: Hash of the adapter.
        rank: Largest rank among its layers.
        bytes: Size of the file.
        changed: When the file was last written.
        thumbnail: A small picture to show, or None.
        mismatch: Why it does not work with the model at hand, or "".
    """

    name: str
    record: FitRecord
    sha256: str
    rank: int
    bytes: int
    changed: datetime
    thumbnail: Path | None
    mismatch: str


class Library:
    """The adapters of one folder.

    Args:
        folder: Where they lie; it is made when the first one is kept.
        drawings: Where to put their thumbnails.
        check: Raises an AdapterError for an adapter of another kind of model.
    """

    def __init__(self, folder: Path, drawings: Path, check: Callable[[Adapter], None]) -> None:
        self.folder = folder
        self._drawings = drawings
        self._check = check
        self._readings = Readings(self._read)

    def forget(self) -> None:
        """Read every file anew when it is asked for next: another model may be at hand."""
        self._readings = Readings(self._read)

    def entries(self) -> list[Entry]:
        """Return what can be read, newest first."""
        found = [entry for entry in self._all().values() if isinstance(entry, Entry)]
        return sorted(found, key=lambda entry: entry.changed, reverse=True)

    def unreadable(self) -> dict[str, str]:
        """Return the files that are no adapters by name, each with why."""
        return {name: found for name, found in self._all().items() if isinstance(found, str)}

    def find(self, name: str) -> Entry:
        """Return one adapter by name.

        Raises:
            AdapterError: When there is none of that name, as another page may have deleted it.
        """
        found = self._all().get(name)
        if not isinstance(found, Entry):
            raise AdapterError(f"There is no adapter {name!r} here any more; choose another.")
        return found

    def load(self, name: str) -> Adapter:
        """Return one adapter by name, read anew.

        Raises:
            AdapterError: When there is none of that name, or it cannot be used.
        """
        return _load(self._path(self.find(name).name))

    def find_hash(self, sha256: str) -> Entry | None:
        """Return the adapter with a hash, or None."""
        return next((e for e in self.entries() if e.sha256 == sha256), None)

    def keep(self, adapter: Adapter, wish: str) -> str:
        """Save what was fitted under a free name like the one wished for, and return the name.

        Raises:
            OutputError: When it cannot be written here; it says where the adapter is instead.
        """
        name = self._free(wish)
        with _unnamed(path := self._path(name)):
            keep(adapter, path, force=False)
        return name

    def save(self, adapter: Adapter, wish: str) -> str:
        """Save an adapter as `keep` does, but here or nowhere.

        Raises:
            OutputError: When it cannot be written here.
        """
        name = self._free(wish)
        with _unnamed(path := self._path(name)):
            adapter.save(path)
        return name

    def accept(self, file: Path) -> str:
        """Take in a file that somebody brought, once it is known to be an adapter for this model.

        Returns:
            The name that it got, or has already where the same adapter is here.

        Raises:
            AdapterError: When it is none, or belongs to another kind of model.
        """
        adapter = _load(file)
        self._check(adapter)
        same = self.find_hash(adapter.sha256)
        return same.name if same is not None else self.save(adapter, file.stem)

    def copy(self, name: str, folder: Path) -> Path:
        """Copy an adapter's file into a folder, and return where it is."""
        entry = self.find(name)
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(self._path(entry.name), folder))

    def rename(self, name: str, wish: str) -> str:
        """Give an adapter another name.

        Raises:
            OutputError: When the name is taken or is no plain name.
        """
        fresh = wish.strip().removesuffix(SUFFIX)
        source, target = self._path(self.find(name).name), self._path(fresh)
        if self._is_taken(fresh) and fresh.casefold() != name.casefold():
            raise OutputError(f"There is an adapter {fresh!r} already; choose another name.")
        source.rename(target)
        return target.stem

    def delete(self, name: str) -> None:
        """Delete an adapter's file."""
        self._path(self.find(name).name).unlink()

    def _path(self, name: str) -> Path:
        """Return where an adapter of a name lies.

        Raises:
            OutputError: When the name is no plain name.
        """
        known = name in {path.stem for path in self._files()}
        if not known and not _is_plain(name):
            raise OutputError(
                f"The name was {name[:_LONGEST]!r}, allowed are letters, digits, blanks and "
                f"_ . , ( ) + -, beginning with a letter or digit, with no dot at the end, up to "
                f"{_LONGEST} in all, and no device of Windows such as CON."
            )
        return self.folder / (name + SUFFIX)

    def _free(self, wish: str) -> str:
        """Return a plain name like a wish that no file has."""
        name = plain_name(wish)
        names = [name, *(f"{name}-{number}" for number in range(2, 10_000))]
        return next(each for each in names if not self._is_taken(each))

    def _is_taken(self, name: str) -> bool:
        """Return whether a file has a name, on a disk that knows no capital letters."""
        return name.casefold() in {path.stem.casefold() for path in self.folder.glob("*" + SUFFIX)}

    def _files(self) -> list[Path]:
        """Return the files that might be adapters: plain ones, in the folder itself."""
        if not self.folder.is_dir():
            return []
        paths = self.folder.glob("*" + SUFFIX)
        return [path for path in paths if path.is_file() and not path.is_symlink()]

    def _all(self) -> dict[str, Entry | str]:
        """Return every file by name: what it holds, or why it cannot be used."""
        return self._readings.of(self._files())

    def _read(self, path: Path) -> Entry | str:
        """Return what a file holds, or why it cannot be used."""
        try:
            return self._entry(path, _load(path))
        except AdapterError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001  one file must never hide the others
            return f"'{path.name}' cannot be used: {_BROKEN} ({type(error).__name__})."

    def _entry(self, path: Path, adapter: Adapter) -> Entry:
        """Return what is shown of an adapter."""
        state = path.stat()
        changed = datetime.fromtimestamp(state.st_mtime).astimezone()
        return Entry(
            name=path.stem,
            record=adapter.record,
            sha256=adapter.sha256,
            rank=adapter.rank,
            bytes=state.st_size,
            changed=changed,
            thumbnail=self._draw(adapter),
            mismatch=self._mismatch(adapter),
        )

    def _mismatch(self, adapter: Adapter) -> str:
        """Return why an adapter does not work with the model at hand, or ""."""
        try:
            self._check(adapter)
        except AdapterError as error:
            return str(error)
        return ""

    def _draw(self, adapter: Adapter) -> Path | None:
        """Draw an adapter's thumbnail anew, so that nothing but a picture is served."""
        path = self._drawings / f"{adapter.sha256}.jpg"
        self._drawings.mkdir(parents=True, exist_ok=True)
        path.write_bytes(adapter.thumbnail)
        try:
            with opened(path) as image:
                small = max(image.size) <= _MOST_SIDE
            if small:
                open_image(path).save(path, quality=90)
                return path
        except ImageError:
            pass
        path.unlink()
        return None


@contextmanager
def _unnamed(path: Path) -> Iterator[None]:
    """Let errors of a block name a file and not its folder."""
    try:
        yield
    except OutputError as error:
        said = str(error).replace(quoted(str(path)), quoted(path.name))
        raise OutputError(said) from error


def plain_name(wish: str) -> str:
    """Return a name like a wish that every disk takes."""
    plain = re.sub(r"\W+", "-", wish).strip("-")[: _LONGEST - 10] or "adapter"
    return f"{plain}-adapter" if _DEVICE.fullmatch(plain) else plain


def _is_plain(name: str) -> bool:
    """Return whether a name is one that every disk takes."""
    device = _DEVICE.fullmatch(name) or name.endswith((".", " "))
    return bool(_NAME.fullmatch(name)) and len(name) <= _LONGEST and not device


def _load(path: Path) -> Adapter:
    """Return the adapter in a file; errors name the file and not its folder."""
    try:
        return Adapter.load(path)
    except AdapterError as error:
        raise type(error)(str(error).replace(str(path), path.name)) from error
