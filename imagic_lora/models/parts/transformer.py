"""What transformers that follow a flow have in common."""

import math
from typing import Any

from imagic_lora.errors import ModelError

_MEASURED_WIDTH, _MEASURED_RATE = 192, 320 / 192
"""Width of the transformer that rates were tried on, and what they were multiplied by there."""


def learning_rate(width: int) -> float:
    """Return what learning rates are multiplied by for a transformer of a width.

    Under one rate for both matrices of a LoRA, of which one begins at zero, what a step of Adam
    changes grows with the square root of a layer's inputs.
    Source: arXiv 2602.06204.
    """
    return _MEASURED_RATE * math.sqrt(_MEASURED_WIDTH / width)


def check_channels(transformer: Any, channels: int, name: str) -> None:
    """Raise unless a transformer takes latents alone, as models that make pictures from text do.

    Args:
        transformer: The transformer.
        channels: Channels of what it should take.
        name: Name of the model, for the message.

    Raises:
        ModelError: When it takes anything else.
    """
    found = int(transformer.config.in_channels)
    if found != channels:
        raise ModelError(
            f"The transformer of the model {name!r} takes {found} channels and its latents have "
            f"{channels}; take the ordinary model that makes pictures from text."
        )
