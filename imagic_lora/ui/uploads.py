"""The files that people upload: whatever a page says of them is checked, and pictures are read once."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from PIL import Image

from imagic_lora.errors import ImageError, heard_by
from imagic_lora.images.png import image_hash
from imagic_lora.images.reading import open_image

MOST_IMAGE_BYTES = 64_000_000
"""Largest image file that is taken in."""

_SHOWN = 1023
"""Longer side, in pixels, of the copy of a picture that is shown: what is painted on it is never
taken for a mask of a canvas, whose sides are multiples of more than one pixel."""

_MOST_SHOWN_BYTES = 300_000
"""Largest file of that copy, where any quality of `_QUALITIES` is small enough."""

_QUALITIES = (86, 70, 50, 30)
"""Qualities of that copy as a JPEG, of which the first that is small enough is taken."""

_CRISP = 256
"""Longer side, in pixels, up to which that copy loses nothing."""


@dataclass(frozen=True)
class Upload:
    """A picture that somebody uploaded.

    Attributes:
        path: Its file.
        name: What it is called.
        size: Width and height, in pixels, as it is worked on.
        shown: A small copy, to be shown.
        notes: What was remarked when it was read.
    """

    path: Path
    name: str
    size: tuple[int, int]
    shown: Path
    notes: tuple[str, ...] = field(default=())

    @cached_property
    def sha256(self) -> str:
        """Hash of it, as an adapter names the picture that it was fitted to."""
        with heard_by(lambda _: None):  # it was remarked when it was taken in
            return image_hash(open_image(self.path))


@dataclass(frozen=True)
class Uploads:
    """What was uploaded.

    Attributes:
        folder: The folder that all of it lies in.
    """

    folder: Path

    def file(self, sent: Any) -> Path:
        """Return the file that was uploaded.

        Args:
            sent: What the page says of it.

        Raises:
            ImageError: When it is not a file that was uploaded here.
        """
        try:
            path = _path(sent).resolve()
            found = path.is_file() and path.is_relative_to(self.folder)
        except (OSError, ValueError):  # a name that no file can have
            found = False
        if not found:
            raise ImageError("The file was not uploaded to this page; choose it again.")
        return path

    def image(self, sent: Any) -> Path:
        """Return the image file that was uploaded, once it is known that it can be read.

        Args:
            sent: What the page says of it.

        Raises:
            ImageError: When it was not uploaded here, is too large, or is no image; the sentence
                does not name the folder.
        """
        path = self.file(sent)
        _opened(path)
        return path

    def picture(self, path: Path) -> Upload:
        """Return an image file of the folder as a picture to work on.

        Args:
            path: The file.

        Raises:
            ImageError: When it is too large, or is no image; the sentence does not name the folder.
        """
        notes: dict[str, None] = {}
        with heard_by(lambda note: notes.update({note.replace(str(path), path.name): None})):
            image = _opened(path)
        return Upload(path, path.name, image.size, self._small(image, path), tuple(notes))

    def _small(self, image: Image.Image, path: Path) -> Path:
        """Write a copy that is quick to send, and return where it is."""
        crisp = max(image.size) <= _CRISP
        name = hashlib.sha256(str(path).encode()).hexdigest()[:32] + (".png" if crisp else ".jpg")
        shown = self.folder / "shown" / name
        shown.parent.mkdir(exist_ok=True)
        small = image.copy() if crisp else image
        small.thumbnail((_SHOWN, _SHOWN), Image.Resampling.BICUBIC, reducing_gap=1.0)
        for quality in _QUALITIES:
            small.save(shown, quality=quality)
            if shown.stat().st_size <= _MOST_SHOWN_BYTES:
                break
        return shown


def _opened(path: Path) -> Image.Image:
    """Return an image that was uploaded."""
    size = path.stat().st_size
    if size > MOST_IMAGE_BYTES:
        raise ImageError(
            f"The image has {size / 1e6:.0f} MB, allowed are {MOST_IMAGE_BYTES / 1e6:.0f}; "
            "save it smaller, or as a JPEG."
        )
    try:
        return open_image(path)
    except ImageError as error:
        raise ImageError(str(error).replace(str(path), path.name)) from error


def _path(sent: Any) -> Path:
    """Return the path that a page gives for a file; "" stands for none."""
    return Path(str(sent.get("path", "")) if isinstance(sent, dict) else "")
