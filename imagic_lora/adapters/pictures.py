"""Pictures in the header of a file: texts that any browser reads as a picture."""

import base64
import binascii
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from PIL import Image

from imagic_lora.errors import AdapterFileError, quoted
from imagic_lora.images.reading import DECODE_ERRORS


@dataclass(frozen=True)
class Kind:
    """A kind of picture in a header.

    Attributes:
        key: Its key.
        what: What a message calls it.
        format: Name of its file format, as Pillow has it.
        magic: What its content begins with.
    """

    key: str
    what: str
    format: str
    magic: bytes

    @property
    def _prefix(self) -> str:
        return f"data:image/{self.format.lower()};base64,"

    def written(self, content: bytes) -> dict[str, str]:
        """Return the header's text for a picture; none for b""."""
        return {self.key: self._prefix + base64.b64encode(content).decode()} if content else {}

    def read(self, metadata: Mapping[str, Any]) -> bytes:
        """Return the picture in a header, or b"" where there is none; it is not decoded.

        Args:
            metadata: The texts of a header.

        Raises:
            AdapterFileError: When it is of another format.
        """
        text = str(metadata.get(self.key, ""))
        if text == "":
            return b""
        try:
            found = base64.b64decode(text.removeprefix(self._prefix), validate=True)
        except (ValueError, binascii.Error):
            found = b""
        if not (text.startswith(self._prefix) and found.startswith(self.magic)):
            raise AdapterFileError(f"its {self.what} is no {self.format} in a data URL.")
        return found


THUMBNAIL = Kind("modelspec.thumbnail", "thumbnail", "JPEG", b"\xff\xd8\xff")
"""A small copy of the input, for other tools to show."""

INPUT = Kind("imagic_lora.picture", "picture", "PNG", b"\x89PNG\r\n\x1a\n")
"""The input on its canvas, to give its pixels back where an edit leaves them alone."""

MAX_INPUT = 4 << 20
"""Most bytes of an input that is kept; a larger one comes back through the autoencoder."""

_DECODED_AT_ONCE = 4_000_000
"""Pixels up to which a picture is decoded when its file is read; few files have one that is larger."""


def check(content: bytes, size: tuple[int, int]) -> None:
    """Raise unless this is an input that a header may hold; a large one is decoded when it is used.

    Args:
        content: A PNG.
        size: The width and height that it must have, in pixels.

    Raises:
        AdapterFileError: When it is of another size, or is seen to be damaged.
    """
    if size[0] * size[1] <= _DECODED_AT_ONCE:
        decoded(content, size)
    else:
        with _opened(content, size):
            pass


def decoded(content: bytes, size: tuple[int, int]) -> Image.Image:
    """Return an input that a header held, RGB.

    Args:
        content: A PNG.
        size: The width and height that it must have, in pixels.

    Raises:
        AdapterFileError: When it is damaged, or of another size.
    """
    with _opened(content, size) as image:
        found = image.convert("RGB")
    found.info.clear()  # pixels alone: whatever else a file says of them is not the input's
    return found


@contextmanager
def _opened(content: bytes, size: tuple[int, int]) -> Iterator[Image.Image]:
    """Open an input, of which only the header is read, for a block that may decode it."""
    try:
        with Image.open(io.BytesIO(content), formats=[INPUT.format]) as image:
            if image.size != size:
                raise AdapterFileError(
                    f"its picture is {image.width} x {image.height} pixels, its canvas "
                    f"{size[0]} x {size[1]}."
                )
            yield image
    except (*DECODE_ERRORS, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise AdapterFileError(f"its picture is damaged ({quoted(str(error))}).") from error
