"""Reading pictures: any file or PIL image becomes what people see, upright and in RGB.

Owns formats, EXIF, limits and colours. Knows nothing of tensors, canvases or records.
"""

import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from imagic_lora.errors import ImageError, warn

MIN_SIDE = 16
"""Shortest side, in pixels, of an image that is worth fitting."""

MAX_PIXELS = 80_000_000
"""Most pixels that are decoded: a larger file is a mistake or a decompression bomb."""

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM")
"""What is read. A list of our own, since Pillow's includes formats that start other programs."""

_DECODE_ERRORS = (  # what Pillow's readers raise on damaged files, found by damaging them
    ArithmeticError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


def open_image(source: str | os.PathLike[str] | Image.Image) -> Image.Image:
    """Open a picture as people see it: upright, RGB, on white.

    EXIF rotation is applied; transparency is laid on white; CMYK, palette and 16-bit images are
    converted; of an animation one frame is used, with a warning. The content decides what a file
    is, not its extension.

    Args:
        source: A path, or an image that is open already (which is left as it is).

    Returns:
        A new image of mode RGB.

    Raises:
        ImageError: The file is missing, is no image, is damaged, or is too small or too large.
    """
    if isinstance(source, Image.Image):
        return _decode(source, "the image")
    with opened(source) as image:
        return _decode(image, _name(source))


@contextmanager
def opened(source: str | os.PathLike[str]) -> Iterator[Image.Image]:
    """Open an image file, of which only the header is read, and close it in the end.

    Args:
        source: The file's path.

    Raises:
        ImageError: The file is missing or is no image.
    """
    path, name = Path(source), _name(source)
    if path.is_dir():
        raise ImageError(f"cannot read {name}: it is a folder; give one image file.")
    try:
        with _quiet():
            image = Image.open(path, formats=FORMATS)
    except FileNotFoundError as error:
        raise ImageError(f"cannot read {name}: there is no such file.") from error
    except Image.DecompressionBombError as error:
        raise _too_large(name, "far too many") from error
    except UnidentifiedImageError as error:
        raise ImageError(_unidentified(path, name)) from error
    except _DECODE_ERRORS as error:
        raise ImageError(f"cannot read {name}: {error}.") from error
    with image:
        yield image


def _name(source: str | os.PathLike[str]) -> str:
    """Return what to call a file in a sentence."""
    return f"'{os.fspath(source)}'"


def _unidentified(path: Path, name: str) -> str:
    """Return the sentence for a file that no reader recognises."""
    if path.stat().st_size == 0:
        return f"cannot read {name}: the file is empty."
    return (
        f"cannot read {name}: it is not an image that is known here, or its start is damaged; "
        f"allowed are {', '.join(FORMATS)}: convert it to PNG."
    )


def _decode(image: Image.Image, name: str) -> Image.Image:
    """Check an image's size, decode it, and return it upright, in RGB, on white."""
    _check_size(image, name)
    try:
        with _quiet():
            frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
            frame = image.tell() + 1
            rgb = _on_white(ImageOps.exif_transpose(image), name)
    except ImageError:
        raise
    except _DECODE_ERRORS as error:
        raise ImageError(f"cannot read {name}: it is damaged or cut off ({error}).") from error
    if frames > 1:
        warn(f"{name} has {frames} frames; only frame {frame} is used.")
    return rgb


def _check_size(image: Image.Image, name: str) -> None:
    """Raise an ImageError if an image, by its header, is out of the limits."""
    width, height = image.size
    if min(width, height) < MIN_SIDE:
        raise ImageError(
            f"{name} is {width} x {height} pixels, allowed is {MIN_SIDE} or more a side; "
            "use a larger image."
        )
    if width * height > MAX_PIXELS:
        raise _too_large(name, f"{width} x {height}")


def _too_large(name: str, found: str) -> ImageError:
    """Return the error for an image of too many pixels."""
    return ImageError(
        f"{name} has {found} pixels, allowed are {MAX_PIXELS // 1_000_000} million in all; "
        "scale it down first."
    )


def _on_white(image: Image.Image, name: str) -> Image.Image:
    """Convert an image of any mode to RGB, its transparency laid on white."""
    if image.mode.startswith("I"):
        return _from_16_bit(image, name)
    if image.mode == "F":
        raise ImageError(
            f"{name} holds floating-point values, which have no fixed white; "
            "save it with 8 or 16 bits per channel."
        )
    if not image.has_transparency_data:
        return image.convert("RGB")
    rgba = image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    return Image.alpha_composite(white, rgba).convert("RGB")


def _from_16_bit(image: Image.Image, name: str) -> Image.Image:
    """Scale 16-bit greys down to 8 bits; Pillow's own conversion would cut them off at 255."""
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 0xFFFF:
        raise ImageError(
            f"{name} holds values from {values.min()} to {values.max()}, allowed are 0 to 65535; "
            "save it with 8 or 16 bits per channel."
        )
    return Image.fromarray(((values + 128) // 257).astype(np.uint8)).convert("RGB")


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Pillow, whose warnings are of metadata that we drop and sizes that we check."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
