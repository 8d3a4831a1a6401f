"""Colours of any kind as the RGB of a screen: profiles, 16 bits, transparency.

Pictures are converted in bands of rows, so that a large one takes little more than itself and its
result. Knows no files.
"""

import io
import struct
from collections.abc import Callable

import numpy as np
from PIL import ExifTags, Image, ImageCms

from imagic_lora.errors import ImageError, warn

LARGE = 40_000_000
"""Pixels above which a picture is halved: more than any canvas shows, and too much memory."""

_BAND = 1_000_000
_SPACES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_GREY = {"1", "L", "LA", "La"}

_UNUSABLE = (
    ImageCms.PyCMSError,
    ArithmeticError,
    LookupError,
    OSError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
)
"""What Pillow raises on profiles and metadata that are damaged."""

_ADOBE_GAMMA = 563 / 256
_ADOBE_TO_SRGB = np.array(
    [[1.39836, -0.39836, 0], [0, 1, 0], [0, -0.04293, 1.04293]], dtype=np.float32
)
"""From the light of Adobe RGB's primaries to that of sRGB's: green alone differs."""

Colours = Callable[[Image.Image], Image.Image]


def flat(image: Image.Image, name: str, background: str) -> Image.Image:
    """Return a picture of any mode in sRGB, on a background, halved if it is large.

    A profile that cannot be used is left aside, with a warning.

    Args:
        image: The picture; it is loaded, and else left as it is.
        name: What to call it in a sentence.
        background: Colour of what is transparent.

    Raises:
        ImageError: It holds values of which none is known to be white.
    """
    image.load()
    to_srgb = _to_srgb(image, name)
    factor = 2 if image.width * image.height > LARGE else 1
    width, height = image.size
    rows = max(1, _BAND // width // factor) * factor
    whole = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    for top in range(0, height, rows):
        band = image.crop((0, top, width, min(top + rows, height)))
        rgb = _flat(_with_8_bits(band, name), background, to_srgb)
        whole.paste(rgb.reduce(factor) if factor > 1 else rgb, (0, top // factor))
    return whole


def _to_srgb(image: Image.Image, name: str) -> Colours:
    """Return what converts a picture's colours to sRGB by the profile that it carries, if any."""
    data = image.info.get("icc_profile")
    if image.mode == "LAB":  # whose values are colours by themselves
        return _plain
    if not data:
        return _from_adobe if image.mode in ("RGB", "RGBA") and _is_adobe(image) else _plain
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        mode = _profiled_mode(profile, image.mode)
        convert = _conversion(profile, mode)
        return _plain if _changes_nothing(convert, mode) else convert
    except _UNUSABLE:
        warn(f"the colour profile of {name} cannot be used; its colours are taken for sRGB.")
        return _plain


def _plain(image: Image.Image) -> Image.Image:
    """Return a picture in RGB, its colours taken for sRGB."""
    return image.convert("RGB")


def _is_adobe(image: Image.Image) -> bool:
    """Return whether a camera says in EXIF alone that the colours are those of Adobe RGB.

    Source: Exif 2.32 and DCF 2.0, tags ColorSpace (uncalibrated) and InteroperabilityIndex (R03).
    """
    try:
        exif = image.getexif()
        space = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.ColorSpace)
        index = exif.get_ifd(ExifTags.IFD.Interop).get(ExifTags.Interop.InteropIndex, "")
    except _UNUSABLE:
        return False
    return space == 0xFFFF and str(index).startswith("R03")


def _from_adobe(image: Image.Image) -> Image.Image:
    """Return a picture of Adobe RGB in sRGB; what sRGB cannot show is cut off.

    Source: Adobe RGB (1998) Color Image Encoding, section 4.3; IEC 61966-2-1, section 4.4.
    """
    light = (np.arange(256, dtype=np.float32) / 255) ** _ADOBE_GAMMA
    linear = np.clip(light[np.asarray(image.convert("RGB"))] @ _ADOBE_TO_SRGB.T, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return Image.fromarray(np.rint(255 * encoded).astype(np.uint8))


def _profiled_mode(profile: ImageCms.ImageCmsProfile, picture: str) -> str:
    """Return the mode that a profile converts from; raise unless it fits the picture's mode."""
    mode = _SPACES[profile.profile.xcolor_space.strip()]
    grey = picture in _GREY or picture.startswith("I")
    if (mode == "CMYK") != (picture == "CMYK") or (mode == "L" and not grey):
        raise ValueError(f"a profile for {mode} says nothing of {picture}")
    return mode


def _conversion(profile: ImageCms.ImageCmsProfile, mode: str) -> Colours:
    """Return what converts colours by a profile."""
    transform = ImageCms.buildTransform(
        profile,
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )

    def convert(image: Image.Image) -> Image.Image:
        converted = ImageCms.applyTransform(image.convert(mode), transform)
        if converted is None:
            raise ValueError("the profile gives no colours")
        return converted

    return convert


def _changes_nothing(convert: Colours, mode: str) -> bool:
    """Return whether a conversion is sRGB's own but for rounding, which would spoil every value."""
    if mode == "CMYK":
        return False
    levels = np.stack(np.meshgrid(*[np.arange(0, 256, 17)] * 3), -1).reshape(64, 64, 3)
    colours = Image.fromarray(levels.astype(np.uint8)).convert(mode)
    gap = np.asarray(convert(colours), dtype=int) - np.asarray(colours.convert("RGB"))
    return int(np.abs(gap).max()) <= 1


def _flat(image: Image.Image, background: str, to_srgb: Colours) -> Image.Image:
    """Return a picture of 8 bits in RGB, its transparency laid on a background."""
    if not image.has_transparency_data:
        return to_srgb(image)
    rgba = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    seen = to_srgb(rgba)
    seen.putalpha(rgba.getchannel("A"))
    return Image.alpha_composite(Image.new("RGBA", rgba.size, background), seen).convert("RGB")


def _with_8_bits(image: Image.Image, name: str) -> Image.Image:
    """Scale 16-bit greys down to 8 bits; Pillow's own conversion would cut them off at 255."""
    if image.mode == "F":
        raise ImageError(
            f"{name} holds floating-point values, which have no fixed white; "
            "save it with 8 or 16 bits per channel."
        )
    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 0xFFFF:
        raise ImageError(
            f"{name} holds values from {values.min()} to {values.max()}, allowed are 0 to 65535; "
            "save it with 8 or 16 bits per channel."
        )
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))
