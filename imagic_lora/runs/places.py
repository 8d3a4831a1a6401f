"""Where the pictures of a job file are: files, or addresses that fsspec knows, such as s3://.

What is at an address is fetched whenever it is read, and kept nowhere. Knows nothing of rows.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from imagic_lora.errors import ImageError, quoted
from imagic_lora.images.png import image_hash

if TYPE_CHECKING:
    from PIL import Image

MOST_BYTES = 256 * 2**20
"""Most bytes that are fetched for one picture: above any file whose pixels would be decoded."""

_ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://.")
_UNSAFE = re.compile(r"[^\w.-]")
_LONGEST = 100
"""Most characters of a file's name that are kept."""


@dataclass(frozen=True)
class Input:
    """A picture or a mask that was read.

    Attributes:
        place: Its path, or its address.
        sha256: Hash of its size and RGB bytes.
    """

    place: str
    sha256: str

    @classmethod
    def of(cls, place: str, read: "Callable[[Path], Image.Image]") -> "Input":
        """Return what is at a place.

        Args:
            place: Its path, or its address.
            read: Opens a picture or a mask.

        Raises:
            ImageError: When it cannot be read.
        """
        with _on_disk(place) as path:
            return cls(place, image_hash(read(path)))

    @property
    def name(self) -> str:
        """Name of its file."""
        return _name(self.place)

    def open(self, read: "Callable[[Path], Image.Image]") -> "Image.Image":
        """Return the picture.

        Args:
            read: Opens a picture or a mask.

        Raises:
            ImageError: When it cannot be read any more, or is another one by now.
        """
        with _on_disk(self.place) as path:
            picture = read(path)
        if image_hash(picture) != self.sha256:
            raise ImageError(
                f"{quoted(self.name)} has changed since the run began; start it again."
            )
        return picture


def is_address(place: str) -> bool:
    """Return whether a picture is to be fetched.

    Args:
        place: A path or an address.
    """
    return _ADDRESS.match(place) is not None


@contextmanager
def _on_disk(place: str) -> Iterator[Path]:
    """Give the file of a picture; one that was fetched is gone in the end."""
    if not is_address(place):
        yield Path(place)
        return
    data = _fetched(place)
    with TemporaryDirectory(prefix="imagic-lora-") as folder:
        path = Path(folder) / _name(place)
        path.write_bytes(data)
        yield path


def _fetched(address: str) -> bytes:
    """Return what is at an address, or raise why it cannot be had, whatever the reason was."""
    import fsspec  # noqa: PLC0415  it takes a while, and few runs need it

    name = quoted(_name(address))
    try:
        with fsspec.open(address, "rb") as file:
            data: bytes = file.read(MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise ImageError(f"cannot fetch {name}: there is no such file.") from error
    except Exception as error:
        reason = quoted((str(error).strip().splitlines() or [type(error).__name__])[0])
        raise ImageError(f"cannot fetch {name}: {reason}.") from error
    if len(data) > MOST_BYTES:
        raise ImageError(
            f"{name} has over {MOST_BYTES >> 20} MiB, allowed is less; use a smaller file."
        )
    return data


def _name(place: str) -> str:
    """Return the name of a file, and of an address what can be one: it may hold a key, too."""
    if not is_address(place):
        return Path(place).name
    last = place.partition("?")[0].rstrip("/").rpartition("/")[2]
    return _UNSAFE.sub("_", last)[-_LONGEST:].lstrip(".") or "picture"
