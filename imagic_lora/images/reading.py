"""Reading pictures: any file or PIL image becomes what people see, upright and in RGB.

Owns formats, limits and turns. Knows nothing of tensors, canvases or records.
"""

import os
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import ExifTags, Image, ImageChops, ImageOps, UnidentifiedImageError

from imagic_lora.errors import ImageError, quoted, warn
from imagic_lora.images import colours
from imagic_lora.images.codecs import silence

# Once for the whole process, since filters that change while threads read would stay changed. What
# Pillow warns of there is metadata, which we drop.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

MIN_SIDE = 16
"""Shortest side, in pixels, of an image that is worth fitting."""

MAX_PIXELS = 80_000_000
"""Most pixels that are decoded: a larger file is a mistake or a decompression bomb."""

_MAX_PIXELS = {
    "AVIF": 40_000_000,
    "JPEG": 70_000_000,
    "JPEG2000": 24_000_000,
    "MPO": 70_000_000,
    "TIFF": 70_000_000,
    "WEBP": 34_000_000,
}
"""The same for formats whose readers take more memory, so that none takes over 600 MB."""

_MAX_WIDE_PIXELS = _MAX_PIXELS | {"JPEG": 50_000_000, "MPO": 50_000_000, "TIFF": 40_000_000}
"""The same where a pixel has four inks, or several channels of 16 bits."""

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM")
"""What is read. A list of our own, since Pillow's includes formats that start other programs."""

_GREY_SPREAD, _COLOURED = 48, 0.01
"""From which levels between its channels a pixel has a colour, and in which share a mask has."""

_HEIC = (b"ftyphe", b"ftypmif1", b"ftypmsf1")
"""What follows the first four bytes of photos of many phones, which Pillow does not read."""

DECODE_ERRORS = (  # what Pillow's readers raise on damaged files, found by damaging them
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
    """Open a picture as people see it: upright, in the colours of a screen, on white.

    EXIF rotation is applied; transparency is laid on white; colours are converted to sRGB by the
    profile that the picture carries; CMYK, palette and 16-bit images are converted; of an animation
    one frame is used, with a warning; above 40 million pixels it is halved. The content decides
    what a file is, not its extension.

    Args:
        source: A path, or an image that is open already (which is left as it is).

    Returns:
        A new image of mode RGB.

    Raises:
        ImageError: The file is missing, is no image, is damaged, or is too small or too large.
    """
    return _read(source, "white")


def open_mask(source: str | os.PathLike[str] | Image.Image) -> Image.Image:
    """Open a mask: like a picture, but what is not painted is black.

    Args:
        source: A path, or an image that is open already (which is left as it is).

    Returns:
        A new image of mode L: white is 1, black and transparent are 0, the rest lies between.

    Raises:
        ImageError: As of `open_image`, or it has colours, so that it says nothing of white.
    """
    mask = _read(source, "black")
    if _is_coloured(mask):
        raise ImageError(
            "The mask has colours, so that nobody can tell what of it is to change; paint white "
            "what the edit may change, and leave the rest black or transparent."
        )
    return mask.convert("L")


def _is_coloured(rgb: Image.Image) -> bool:
    """Return whether more of a picture has a colour than a lossy format gives to greys."""
    red, green, blue = rgb.split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    least = ImageChops.darker(ImageChops.darker(red, green), blue)
    spread = ImageChops.subtract(most, least).histogram()
    return sum(spread[_GREY_SPREAD:]) > _COLOURED * rgb.width * rgb.height


def _read(source: str | os.PathLike[str] | Image.Image, background: str) -> Image.Image:
    """Return a picture upright and in RGB, its transparency laid on a background."""
    if isinstance(source, Image.Image):
        _check_size(source, "the image")
        return _decode(source, "the image", background)
    with opened(source) as image:
        _check_size(image, _name(source))
        if image.width * image.height > colours.LARGE:
            # A JPEG, which may be held twice while it is decoded, is halved on the way.
            image.draft(None, (image.width // 2, image.height // 2))
        return _decode(image, _name(source), background)


@contextmanager
def opened(source: str | os.PathLike[str]) -> Iterator[Image.Image]:
    """Open an image file, of which only the header is read, and close it in the end.

    Args:
        source: The file's path.

    Raises:
        ImageError: The file is missing or is no image.
    """
    path, name = Path(source), _name(source)
    try:
        _check_file(path, name)
        image = _identified(path, name)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(name, "far too many", MAX_PIXELS) from error
    except UnidentifiedImageError as error:
        raise ImageError(_unidentified(path, name)) from error
    except ImageError:
        raise
    except DECODE_ERRORS as error:
        raise ImageError(f"cannot read {name}: {_reason(error)}.") from error
    with image:
        yield image


def _identified(path: Path, name: str) -> Image.Image:
    """Return an image file of any format that is read, not decoded yet."""
    silence()
    try:
        return Image.open(path, formats=FORMATS)
    except UnidentifiedImageError:
        with path.open("rb") as file:
            if not file.read(12)[4:].startswith(_HEIC):
                raise
    try:
        from pillow_heif import HeifImageFile  # noqa: PLC0415  # an extra of few
    except ImportError as error:
        raise ImageError(
            f"cannot read {name}: it is a HEIC photo, which needs the package 'pillow-heif'; "
            "install it with: pip install 'imagic-lora[heif]', or save the photo as JPEG."
        ) from error
    image: Image.Image = HeifImageFile(path)
    return image


def _check_file(path: Path, name: str) -> None:
    """Raise an ImageError unless there is a file; what is none, such as a pipe, may never end."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise ImageError(f"cannot read {name}: there is no such file.") from error
    if stat.S_ISDIR(mode):
        raise ImageError(f"cannot read {name}: it is a folder; give one image file.")
    if not stat.S_ISREG(mode):
        raise ImageError(f"cannot read {name}: it is a device or a pipe; give one image file.")


def _name(source: str | os.PathLike[str]) -> str:
    """Return what to call a file in a sentence: its name, for its folder may be nobody's business."""
    return quoted(Path(source).name)


def _reason(error: BaseException) -> str:
    """Return what went wrong, without the path, which may be long."""
    return str(getattr(error, "strerror", None) or error)


def _unidentified(path: Path, name: str) -> str:
    """Return the sentence for a file that no reader recognises."""
    if path.stat().st_size == 0:
        return f"cannot read {name}: the file is empty."
    return (
        f"cannot read {name}: it is not an image that is known here, or its start is damaged; "
        f"allowed are {', '.join(FORMATS)}: convert it to PNG."
    )


def _decode(image: Image.Image, name: str, background: str) -> Image.Image:
    """Decode an image, and return it upright, in RGB, on a background."""
    try:
        frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
        frame = image.tell() + 1
        rgb = colours.flat(image, name, background)
        rgb.getexif()[ExifTags.Base.Orientation] = image.getexif().get(ExifTags.Base.Orientation, 1)
        ImageOps.exif_transpose(rgb, in_place=True)
    except ImageError:
        raise
    except DECODE_ERRORS as error:
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
    limits = _MAX_WIDE_PIXELS if _is_wide(image) else _MAX_PIXELS
    most = limits.get(image.format or "", MAX_PIXELS)
    if width * height > most:
        raise _too_large(name, f"{width} x {height}", most)


def _is_wide(image: Image.Image) -> bool:
    """Return whether a file's pixels take much memory: four inks, or channels of 16 bits."""
    stored = str(getattr(image, "tile", ""))  # what of the file becomes which part of the image
    return image.mode == "CMYK" or (";16" in stored and len(image.getbands()) > 1)


def _too_large(name: str, found: str, most: int) -> ImageError:
    """Return the error for an image of too many pixels."""
    return ImageError(
        f"{name} has {found} pixels, allowed are {most // 1_000_000} million in all; "
        "scale it down first."
    )
