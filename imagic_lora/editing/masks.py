"""Where edits may change a picture, from what people give: a picture, an array, or words.

Words are looked for by a segmenter where one is installed, else by the base model's own predictions.
"""

import base64
import binascii
import io
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from imagic_lora.editing import focus
from imagic_lora.errors import ImageError, quoted, warn
from imagic_lora.images.canvas import Frame
from imagic_lora.images.png import image_hash, to_png
from imagic_lora.images.reading import open_mask
from imagic_lora.memory import denoising
from imagic_lora.models.base import LatentModel
from imagic_lora.models.encoding import encode
from imagic_lora.models.looks import Looks
from imagic_lora.models.segmenter import CLIPSEG, segment

MaskSource: TypeAlias = str | os.PathLike[str] | Image.Image | npt.NDArray[Any]
"""What a mask may be given as: a file, a picture, an array, or words such as "the hat"."""

_SEED = 0
"""Seed of the noises under which words are looked for."""

_SPAN = (0.3, 0.5)
"""Differences, as shares of the largest, up to which a place is not what was named, and from which
it is. Source: Couairon et al. 2022 (DiffEdit), arXiv 2210.11427, section 4.1: 0.5."""

_MOST_WORDS = 200
"""Characters of the words for a mask: what is named in more is a whole picture."""

_MOST_KEPT = 200_000
"""Bytes of a mask beyond which a picture does not carry it."""


@dataclass(frozen=True)
class Mask:
    """Where edits may change a picture.

    Attributes:
        image: White where they may, black where the input stays; mode L.
        words: What it was looked for by, or "".
    """

    image: Image.Image = field(repr=False)
    words: str = ""

    def record(self, frame: Frame) -> dict[str, str | None]:
        """Return what a picture tells of its mask, so that it can be made again.

        Args:
            frame: Which part of the input was edited.
        """
        return {
            "mask_sha256": image_hash(self.image),
            "mask_words": self.words or None,
            "mask": to_text(frame.cut_mask(self.image)),
        }


def words_of(mask: MaskSource) -> str:
    """Return the words that a mask is to be found by, or "" where it is a picture.

    A file that exists is a file, and so is what has the ending of a picture's.

    Args:
        mask: What somebody gave.

    Raises:
        ImageError: When it is no file, and longer than the name of a thing.
    """
    if not isinstance(mask, str) or not mask.strip():
        return ""
    try:
        named = Path(mask).exists() or Path(mask).suffix.lower() in Image.registered_extensions()
    except (OSError, ValueError):  # no name that a file can have
        named = False
    if not named and len(mask) > _MOST_WORDS:
        raise ImageError(
            f"The mask was {quoted(mask)}, of {len(mask)} characters; allowed are a file, or words "
            f"of at most {_MOST_WORDS}: name the thing alone."
        )
    return "" if named else mask.strip()


def opened(mask: MaskSource) -> Image.Image:
    """Return a mask that was given as a picture or an array.

    Args:
        mask: A path, a PIL image, or an array of shape (H, W): booleans, shares from 0 to 1, or
            whole numbers from 0 to 255.

    Raises:
        ImageError: When it is none.
    """
    return open_mask(_drawn(mask) if isinstance(mask, np.ndarray) else mask)


def given(model: LatentModel, mask: MaskSource, picture: Callable[[], Image.Image]) -> Mask:
    """Return a mask that was given, or found by words.

    Args:
        model: The base model.
        mask: What was given.
        picture: Returns the picture on its canvas, for words to be looked for.
    """
    if words := words_of(mask):
        return Mask(find(model, picture(), words), words)
    return Mask(opened(mask))


def find(model: LatentModel, image: Image.Image, words: str) -> Image.Image:
    """Return where a picture shows what words name.

    Args:
        model: The base model, with no adapter in it.
        image: The picture on its canvas, RGB.
        words: What to look for.

    Returns:
        A mask of the picture's size, mode L.

    Raises:
        ImageError: When it is nowhere.
    """
    found = segment(image, words, device=model.plan.device)
    if found is None:
        warn(
            f"no segmenter is installed, so {words!r} is looked for where the base model's "
            f"predictions differ; `hf download {CLIPSEG}` gives sharper masks."
        )
        found = _by_predictions(model, image, words)
    if not any(found.histogram()[255 // 2 :]):
        raise ImageError(
            f"The picture shows {words!r} nowhere; name it otherwise, or paint a mask."
        )
    return found


def _by_predictions(model: LatentModel, image: Image.Image, words: str) -> Image.Image:
    """Return where a model's predictions differ most between words and none."""
    latents = encode(model, image, *image.size).latents.to(model.plan.device)
    empty, said = model.encode_prompt("", words).rows()
    with denoising(model, "sample") as work:
        looks = Looks(model, latents)
        at_empty, at_said = (work(partial(looks.at, prompt)) for prompt in (empty, said))
    asked = focus.differences(at_empty, at_said)
    low, high = _SPAN
    shares = ((focus.change_map(asked)[0, 0].float() - low) / (high - low)).clamp(0, 1)
    small = Image.fromarray((shares * 255).round().to(torch.uint8).cpu().numpy())
    return small.resize(image.size, Image.Resampling.BILINEAR)


def to_text(mask: Image.Image) -> str | None:
    """Return a mask as text for a picture's record, or None where it is too large for that."""
    content = to_png(mask)
    return base64.b64encode(content).decode() if len(content) <= _MOST_KEPT else None


def from_text(text: str) -> Image.Image:
    """Return the mask in a record, which anybody may have written.

    Raises:
        ImageError: When it is none.
    """
    try:
        content = base64.b64decode(text, validate=True)
        if len(content) > _MOST_KEPT:
            raise ImageError("The mask in the record is larger than any that is kept.")
        with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
            return open_mask(image)
    except (binascii.Error, OSError, SyntaxError, ValueError) as error:
        raise ImageError("The mask in the record is no picture.") from error


def _drawn(values: npt.NDArray[Any]) -> Image.Image:
    """Return an array of numbers as a picture."""
    flat = values.squeeze()
    kind = flat.dtype.kind
    high = 255 if kind in "iu" else 1
    if (
        flat.ndim != 2
        or kind not in "biuf"
        or not (flat.size and 0 <= flat.min() <= flat.max() <= high)
    ):
        raise ImageError(
            f"The mask was an array of shape {values.shape} and type {values.dtype}; allowed is "
            "(H, W) of booleans, of shares from 0 to 1, or of whole numbers from 0 to 255."
        )
    scale = 1 if kind in "iu" else 255
    return Image.fromarray((flat.astype(np.float64) * scale).round().astype(np.uint8))
