"""From what was learned of a picture to an adapter that says how, on what and with which tools."""

from importlib.metadata import version
from typing import Any

import torch

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.adapters.pictures import MAX_INPUT
from imagic_lora.adapters.record import FitRecord
from imagic_lora.adapters.weights import Weights
from imagic_lora.conditioning import Conditioning
from imagic_lora.images.png import image_hash, to_png, to_thumbnail
from imagic_lora.models.base import LatentModel
from imagic_lora.models.encoding import Encoded

_PACKAGES = ("imagic-lora", "torch", "diffusers", "transformers", "peft")


def make_adapter(
    model: LatentModel,
    encoded: Encoded,
    lora: Weights,
    conditioning: Conditioning,
    *,
    thumbnail: bool,
    **told: Any,
) -> Adapter:
    """Return the adapter of a picture.

    Args:
        model: The base model.
        encoded: The picture.
        lora: LoRA weights, half precision, on the CPU.
        conditioning: What reconstructs the picture, batch 1.
        thumbnail: Keep a small copy of the picture.
        told: Fields of the FitRecord that only the fit knows: target, source, settings, losses,
            gap and levers.
    """
    traits, canvas = model.traits, to_png(encoded.canvas)
    record = FitRecord(
        family=traits.family,
        base_model=traits.name,
        fingerprint=traits.fingerprint,
        prediction=model.objective.name,
        left_out=traits.left_out,
        versions={package: version(package) for package in _PACKAGES},
        width=encoded.frame.size[0],
        height=encoded.frame.size[1],
        frame=encoded.frame,
        image_sha256=image_hash(encoded.picture),
        **told,
    )
    return Adapter(
        lora,
        conditioning.to("cpu", torch.float16),
        encoded.latents.to("cpu", torch.float16),
        record,
        to_thumbnail(encoded.picture) if thumbnail else b"",
        canvas if len(canvas) <= MAX_INPUT else b"",
    )
