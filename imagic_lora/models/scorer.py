"""Which of two prompts an image shows, by CLIP or SigLIP, where its weights are installed."""

import math
from dataclasses import dataclass
from os import PathLike
from typing import Any

import torch
from PIL import Image

from imagic_lora.errors import ModelError, quoted
from imagic_lora.models.parts.installed import NOT_INSTALLED, load_installed

SIGLIP = "google/siglip-base-patch16-224"
"""A scorer that errors name. Source: Zhai et al. 2023, arXiv 2303.15343."""

_SURE = 1.0
"""Logits by which an input counts as leaning to its caption at least: there is little to divide by."""


@dataclass(frozen=True)
class Leaning:
    """How much more an image shows a target than a source.

    An edit is done when the scorer is as sure of its target as it was of the input's caption, so that
    no scale of logits has to be known.

    Attributes:
        logits: What the scorer gives the target, less what it gives the source.
    """

    logits: float

    @property
    def place(self) -> float:
        """Likelihood of the target rather than the source."""
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, self.logits))))

    def remaining(self, before: "Leaning") -> float:
        """Return how much is left as a share of what there was on an edit's input, 1 there.

        Args:
            before: The leaning of the input.
        """
        depth = max(-before.logits, _SURE)
        return (depth - self.logits) / (2 * depth)


class PictureScorer:
    """A model like CLIP or SigLIP, on the CPU: no memory plan has counted it.

    Args:
        scorer: Its folder, or the Hub name of one that was downloaded before, with its weights as
            safetensors (pickles are never loaded). Nothing is downloaded.

    Raises:
        ModelError: When it is not installed, or is of another kind.
    """

    def __init__(self, scorer: str | PathLike[str]) -> None:
        self._processor, self._model = _load(str(scorer))

    @torch.no_grad()
    def leaning(self, image: Image.Image, source: str, target: str) -> Leaning:
        """Return whether an image shows a target or a source; prompts that are too long are cut.

        Args:
            image: The image, RGB.
            source: One prompt.
            target: The other.
        """
        inputs = self._processor(
            text=[source, target],
            images=[image],
            padding="max_length",
            truncation=True,
            return_tensors="pt",
        )
        at_source, at_target = self._model(**inputs).logits_per_image[0].tolist()
        return Leaning(at_target - at_source)


def _load(scorer: str) -> tuple[Any, Any]:
    """Return a scorer's processor and model from the disk."""
    try:
        return load_installed("AutoModelForZeroShotImageClassification", scorer)
    except NOT_INSTALLED as error:
        raise ModelError(
            f"The scorer {quoted(scorer)} is not installed as safetensors, or is none like CLIP or "
            f"SigLIP; fetch one with `hf download {SIGLIP}`, or leave the scorer away."
        ) from error
