"""What other tools show of an adapter: header keys of modelspec 1.0.1, and those of kohya's scripts.

Only texts, and no date, so that the same adapter gives the same bytes.
Source: https://github.com/Stability-AI/ModelSpec.
"""

import json

from imagic_lora.adapters.pictures import THUMBNAIL
from imagic_lora.adapters.record import FitRecord
from imagic_lora.adapters.weights import Weights
from imagic_lora.models.families import find_family

_V = "v_prediction"


def describe(
    record: FitRecord, lora: Weights, token_width: int, thumbnail: bytes
) -> dict[str, str]:
    """Return the header's texts for other tools.

    Args:
        record: What was fitted and how.
        lora: The LoRA weights.
        token_width: Width of a token embedding.
        thumbnail: A small JPEG of the input image, or b"" for none.
    """
    known = find_family(record.family).architecture(token_width, record.prediction)
    return {
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": f"{known.modelspec}/lora",
        "modelspec.implementation": "diffusers",
        "modelspec.title": f"imagic_lora: {record.target or record.source}",
        "modelspec.resolution": f"{record.width}x{record.height}",
        "modelspec.description": f"One picture, '{record.caption}', learned on {record.base_model}.",
        "modelspec.usage_hint": _hint(record),
        "modelspec.prediction_type": "v" if record.prediction == _V else record.prediction,
        "ss_v2": str(known.v2),
        "ss_base_model_version": known.kohya,
        **_kohya_keys(record, lora),
        **THUMBNAIL.written(thumbnail),
    }


def _hint(record: FitRecord) -> str:
    """Return how to prompt other tools."""
    hint = f"The prompt '{record.caption}' at strength 1 recalls the picture"
    if record.needs_words_alone:
        return f"{hint}."
    return (
        f"{hint}; the learned embedding, without which it is less like it, works in imagic_lora "
        "only."
    )


def _kohya_keys(record: FitRecord, lora: Weights) -> dict[str, str]:
    """Return the keys that A1111 and its kin sort and show LoRA files by."""
    rank = str(lora.rank)
    convolutions = any(len(pair.shape) == 4 for pair in lora.pairs.values())
    return {
        "ss_network_module": "networks.lora",
        "ss_network_dim": rank,
        "ss_network_alpha": rank,
        "ss_network_args": json.dumps(
            {"conv_dim": rank, "conv_alpha": rank} if convolutions else {}
        ),
        "ss_sd_model_name": record.base_model,
        "ss_resolution": f"({record.width}, {record.height})",
        "ss_steps": str(len(record.losses)),
    }
