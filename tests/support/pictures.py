"""Small pictures to read, crop and save."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

RED = (255, 0, 0)
WHITE = (255, 255, 255)


def noise(width: int = 48, height: int = 32) -> Image.Image:
    """Return a picture in which every pixel differs from its neighbours."""
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def saved(image: Image.Image, path: Path, **options: Any) -> Path:
    """Save a picture and return where."""
    image.save(path, **options)
    return path


def colour_profile(space: bytes, gamma: float = 2.2) -> bytes:
    """Return a small ICC profile of a display whose green is that of Adobe RGB, or of greys."""
    tags = {b"wtpt": _point(0.9642, 1, 0.8249), b"cprt": b"text\0\0\0\0none"}
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
    if space == b"GRAY":
        tags[b"kTRC"] = curve
    else:
        tags |= {b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
        tags |= {
            b"rXYZ": _point(0.60974, 0.31111, 0.01947),
            b"gXYZ": _point(0.20528, 0.62567, 0.06087),
            b"bXYZ": _point(0.14919, 0.06322, 0.74457),
        }
    table, body, start = b"", b"", 132 + 12 * len(tags)
    for key, tag in tags.items():
        table += key + struct.pack(">II", start + len(body), len(tag))
        body += tag.ljust(-(-len(tag) // 4) * 4, b"\0")
    header = struct.pack(
        ">I4xI4s4s4s12x4s", start + len(body), 0x02100000, b"mntr", space, b"XYZ ", b"acsp"
    )
    illuminant = _point(0.9642, 1, 0.8249)[8:]
    header = header.ljust(68, b"\0") + illuminant
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _point(*values: float) -> bytes:
    """Return a colour as profiles hold it."""
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)
