"""Where a picture shows what words name, by a segmenting model, where its weights are installed."""

from os import PathLike
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from imagic_lora.hub import cached_folder
from imagic_lora.models.parts.installed import NOT_INSTALLED, load_installed

CLIPSEG = "CIDAS/clipseg-rd64-refined"
"""The segmenter that is looked for. Source: Lüddecke & Ecker 2022, arXiv 2112.10003."""

_SPAN = (0.25, 0.5)
"""Likelihoods up to which a place is not what was named, and from which it is."""


def segment(
    image: Image.Image,
    words: str,
    segmenter: str | PathLike[str] = CLIPSEG,
    *,
    device: torch.device | str = "cpu",
) -> Image.Image | None:
    """Return where an image shows what words name, or None where no segmenter is installed.

    The model is loaded, used once and dropped. Nothing is downloaded.

    Args:
        image: The image, RGB.
        words: What to look for, such as "the hat".
        segmenter: A model like CLIPSeg: a folder, or the Hub name of one that was downloaded
            before, with its weights as safetensors (pickles are never loaded).
        device: Where it works.

    Returns:
        A mask of the image's size, mode L: white where it is, black where it is not.
    """
    loaded = _load(str(segmenter))
    if loaded is None:
        return None
    processor, model = loaded
    inputs = processor(text=[words], images=[image], return_tensors="pt").to(device)
    with torch.no_grad():
        logits = model.to(device)(**inputs).logits
    found = torch.sigmoid(logits.float()).reshape(logits.shape[-2:])
    low, high = _SPAN
    shares = ((found - low) / (high - low)).clamp(0, 1)
    small = Image.fromarray((shares * 255).round().to(torch.uint8).cpu().numpy())
    return small.resize(image.size, Image.Resampling.BILINEAR)


def _load(segmenter: str) -> tuple[Any, Any] | None:
    """Return a segmenter's processor and model from the disk, or None where they are not there."""
    folder = segmenter if Path(segmenter).is_dir() else cached_folder(segmenter, "config.json")
    if folder is None:
        return None
    try:
        return load_installed("CLIPSegForImageSegmentation", folder)
    except NOT_INSTALLED:
        return None
