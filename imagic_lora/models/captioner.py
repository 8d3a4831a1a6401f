"""A caption in a captioning model's own words, where its weights are installed."""

from os import PathLike
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from imagic_lora.errors import ModelError, quoted
from imagic_lora.images.reading import open_image
from imagic_lora.models.parts.installed import NOT_INSTALLED, load_installed

_MOST_TOKENS = 40


def describe_image(
    image: str | PathLike[str] | Image.Image,
    captioner: str | PathLike[str],
    *,
    device: torch.device | str = "cpu",
) -> str:
    """Return what a captioning model sees in an image, as a source caption for a fit.

    The model is loaded, used once and dropped, so it takes no memory from the fit. Nothing is
    downloaded.

    Args:
        image: The image: a path or a PIL image.
        captioner: A model of transformers that captions without being asked, such as BLIP or GIT:
            a folder, or the Hub name of one that was downloaded before, with its weights as
            safetensors (pickles are never loaded).
        device: Where it works.

    Raises:
        ImageError: When the image cannot be used.
        ModelError: When the model is not installed, or says nothing.
    """
    picture = open_image(image)
    processor, model = _load(str(captioner))
    inputs = processor(images=picture, return_tensors="pt").to(device)
    with torch.no_grad():
        said = model.to(device).generate(**inputs, max_new_tokens=_MOST_TOKENS, do_sample=False)
    text = str(processor.batch_decode(said, skip_special_tokens=True)[0]).strip()
    if not text:
        raise ModelError(f"The captioner {_name(captioner)} said nothing; give a caption instead.")
    return text


def _load(captioner: str) -> tuple[Any, Any]:
    """Return a captioner's processor and model from the disk."""
    try:
        return load_installed("AutoModelForImageTextToText", captioner)
    except NOT_INSTALLED as error:
        raise ModelError(
            f"The captioner {_name(captioner)} is not installed as safetensors, or is none; fetch "
            "one with `hf download Salesforce/blip-image-captioning-large`, or give a caption instead."
        ) from error


def _name(captioner: str | PathLike[str]) -> str:
    """Return a captioner's name, quoted, without the folders before it where it is one."""
    try:
        return quoted(Path(captioner).name if Path(captioner).exists() else str(captioner))
    except OSError:  # longer than any path
        return quoted(str(captioner))
