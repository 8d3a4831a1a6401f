"""Small pictures to read, crop and save."""

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
