"""What becomes of a finished picture: its hash, its small copy, and a PNG that says what made it."""

import hashlib
import io
import json
import os
from collections.abc import Mapping
from typing import Any

from PIL import Image, PngImagePlugin

from imagic_lora.files import write_atomic
from imagic_lora.images.reading import opened

THUMBNAIL_SIDE = 256
"""Longer side, in pixels, of the small copy that an adapter carries."""

_RECORD_KEY = "imagic_lora"
_LONGEST, _DEEPEST = 1 << 20, 16
"""Characters of a record, and levels of values within values: ours have far fewer."""

_PERCEPTUAL = b"\0"  # the rendering intent that the sRGB chunk names


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
    """Return the content of a PNG, which says that its colours are sRGB.

    Args:
        image: The picture.
        text: Texts for it to carry.
    """
    buffer, chunks = io.BytesIO(), text or PngImagePlugin.PngInfo()
    chunks.add(b"sRGB", _PERCEPTUAL)
    image.save(buffer, "PNG", pnginfo=chunks)
    return buffer.getvalue()


def read_record(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Return what `save_png` put into a picture, or None if it carries no such record.

    Raises:
        ImageError: The file is missing or is no image.
    """
    with opened(path) as image:
        text = image.info.get(_RECORD_KEY, "")
    if len(text) > _LONGEST:
        return None
    try:
        record = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and not _is_deep(record) else None


def _is_deep(value: Any, levels: int = _DEEPEST) -> bool:
    """Return whether values lie deeper within values than whoever shows them can follow."""
    inner = value.values() if isinstance(value, Mapping) else value
    if not isinstance(value, (Mapping, list)):
        return False
    return levels == 0 or any(_is_deep(each, levels - 1) for each in inner)
