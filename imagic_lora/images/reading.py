"""Pictures in and out: PIL images on one side, pixels in [-1, 1] on the other.

This is the only module that knows the pixel convention: float32 tensors of shape (B, 3, H, W), RGB,
-1 is black and 1 is white. It knows nothing of models: the native size and the multiple that the
sides must have are passed in.
"""

import hashlib
import io
import json
import os
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from imagic_lora.errors import ImageError, warn
from imagic_lora.files import write_atomic

MIN_SIDE = 16
"""Shortest side, in pixels, of an image that is worth fitting."""

MAX_PIXELS = 80_000_000
"""Most pixels that are decoded: a larger file is a mistake or a decompression bomb."""

MAX_ASPECT = 2.5
"""Longest canvas, as long side over short side: base models draw repetitions beyond it."""

THUMBNAIL_SIDE = 256
"""Longer side, in pixels, of the small copy that an adapter carries."""

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM")
"""What is read. A list of our own, since Pillow's includes formats that start other programs."""

_RECORD_KEY = "imagic_lora"
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
    name = f"'{os.fspath(source)}'"
    with _opened(Path(source), name) as image:
        return _decode(image, name)


def canvas(
    image_size: tuple[int, int],
    *,
    native: int,
    multiple: int,
    width: int | None = None,
    height: int | None = None,
) -> tuple[int, int]:
    """Choose the size at which an image is worked on.

    By default it keeps the image's aspect ratio, limited to MAX_ASPECT either way, at about the
    area that the model was trained on. If one side is given, the other follows the aspect ratio.
    All sides are multiples of `multiple`.

    Args:
        image_size: Width and height of the image, in pixels.
        native: Side of the square pictures that the model was trained on, in pixels.
        multiple: What each side must be a multiple of.
        width: Width asked for, in pixels; rounded, with a warning, if it is no multiple.
        height: Height asked for, likewise.

    Returns:
        Width and height, in pixels.
    """
    true_aspect = image_size[0] / image_size[1]
    aspect = min(max(true_aspect, 1 / MAX_ASPECT), MAX_ASPECT)
    if aspect != true_aspect and (width is None or height is None):
        warn(
            f"the image is {image_size[0]} x {image_size[1]} pixels, longer than "
            f"{MAX_ASPECT:g} to 1; its ends are cropped, unless width and height are given."
        )
    if width is None and height is None:
        free = (native * aspect**0.5, native / aspect**0.5)
        return _round(free[0], multiple), _round(free[1], multiple)
    across = None if width is None else _round_asked("width", width, multiple)
    down = None if height is None else _round_asked("height", height, multiple)
    if across is None:
        across = _round((down or 0) * aspect, multiple)
    if down is None:
        down = _round(across / aspect, multiple)
    return across, down


def crop_box(
    image_size: tuple[int, int],
    size: tuple[int, int],
    *,
    centre: tuple[float, float] = (0.5, 0.5),
    zoom: float = 1.0,
) -> tuple[int, int, int, int]:
    """Return the part of an image that has the shape of a canvas.

    Args:
        image_size: Width and height of the image, in pixels.
        size: Width and height of the canvas, in pixels.
        centre: Where the part lies, across and down: 0 is the left or upper end, 1 the other one.
        zoom: How many times narrower than the largest such part it is, 1 or more.

    Returns:
        Left, upper, right and lower edge, in pixels.
    """
    scale = max(canvas / side for canvas, side in zip(size, image_size, strict=True)) * zoom
    sides = [
        min(side, max(1, round(canvas / scale)))
        for canvas, side in zip(size, image_size, strict=True)
    ]
    left, upper = (
        round((whole - part) * where)
        for whole, part, where in zip(image_size, sides, centre, strict=True)
    )
    return left, upper, left + sides[0], upper + sides[1]


def to_pixels(image: Image.Image, size: tuple[int, int]) -> torch.Tensor:
    """Scale an RGB image until it covers a canvas, crop it about its centre, and return its pixels.

    Args:
        image: An image of mode RGB.
        size: Width and height of the canvas, in pixels.

    Returns:
        Pixels in [-1, 1], float32, shape (1, 3, H, W).
    """
    fitted = ImageOps.fit(image, size, method=Image.Resampling.LANCZOS)
    values = torch.from_numpy(np.array(fitted, dtype=np.float32))
    return (values / 127.5 - 1).permute(2, 0, 1).unsqueeze(0).contiguous()


def to_mask(image: Image.Image, size: tuple[int, int], grid: tuple[int, int]) -> torch.Tensor:
    """Scale a mask as `to_pixels` scales its image, and return the share of white in each cell.

    Args:
        image: An image of mode RGB; white is 1, black is 0, grey lies between.
        size: Width and height of the canvas, in pixels.
        grid: Rows and columns of cells, such as a canvas has latents.

    Returns:
        Shares from 0 to 1, float32, shape (1, 1, rows, columns).

    Raises:
        ImageError: When the mask is black everywhere.
    """
    fitted = ImageOps.fit(image.convert("L"), size, method=Image.Resampling.BOX)
    values = torch.from_numpy(np.array(fitted, dtype=np.float32))[None, None] / 255
    mask = torch.nn.functional.adaptive_avg_pool2d(values, grid)
    if not mask.any():
        raise ImageError(
            "The mask is black everywhere, so nothing may change; paint white what the edit may "
            "change."
        )
    return mask


def to_images(pixels: torch.Tensor) -> list[Image.Image]:
    """Return one RGB image for each picture of a batch.

    Args:
        pixels: Pixels, shape (B, 3, H, W); values beyond [-1, 1] are cut.
    """
    scaled = (pixels.detach().float().clamp(-1, 1) + 1) * 127.5
    arrays = scaled.round().to("cpu", torch.uint8).permute(0, 2, 3, 1).numpy()
    return [Image.fromarray(np.ascontiguousarray(array)) for array in arrays]


def difference(first: Image.Image, second: Image.Image) -> float:
    """Return the root mean square difference of two images of one size, of brightness 0 to 1."""
    gap = to_pixels(first, first.size) - to_pixels(second, first.size)
    return float(gap.square().mean().sqrt()) / 2


def image_hash(image: Image.Image) -> str:
    """Return the SHA-256, in hex, of an image's size and RGB values."""
    rgb = image.convert("RGB")
    return hashlib.sha256(f"{rgb.width}x{rgb.height}\n".encode() + rgb.tobytes()).hexdigest()


def to_thumbnail(image: Image.Image) -> bytes:
    """Return a small JPEG of an RGB image; a smaller image is not enlarged."""
    small = image.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def save_png(
    image: Image.Image,
    path: str | os.PathLike[str],
    record: Mapping[str, object],
    *,
    force: bool = False,
) -> None:
    """Write a PNG that carries what made it.

    Args:
        image: The picture.
        path: The file to write.
        record: What made the picture, as JSON values; `read_record` gives it back.
        force: Whether a file that exists already may be replaced.

    Raises:
        OutputError: The file exists already or cannot be written.
    """
    text = PngImagePlugin.PngInfo()
    text.add_itxt(_RECORD_KEY, json.dumps(record, ensure_ascii=False))
    write_atomic(path, to_png(image, text), force=force)


def to_png(image: Image.Image, text: PngImagePlugin.PngInfo | None = None) -> bytes:
    """Return the content of a PNG.

    Args:
        image: The picture.
        text: Texts for it to carry.
    """
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=text)
    return buffer.getvalue()


def read_record(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Return what `save_png` put into a picture, or None if it carries no such record.

    Raises:
        ImageError: The file is missing or is no image.
    """
    with _opened(Path(path), f"'{os.fspath(path)}'") as image:
        text = image.info.get(_RECORD_KEY, "")
    try:
        record = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


@contextmanager
def _opened(path: Path, name: str) -> Iterator[Image.Image]:
    """Open an image file, of which only the header is read."""
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


def _round(side: float, multiple: int) -> int:
    """Return the multiple nearest to a side, at least one."""
    return max(1, int(side / multiple + 0.5)) * multiple


def _round_asked(name: str, side: int, multiple: int) -> int:
    """Round a side that the user asked for, and say so."""
    rounded = _round(side, multiple)
    if rounded != side:
        warn(f"{name} {side} is no multiple of {multiple}; {rounded} is used.")
    return rounded


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Pillow, whose warnings are of metadata that we drop and sizes that we check."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
