"""What transformers that follow a flow have in common."""

from typing import Any

from imagic_lora.errors import ModelError

_REFERENCE_WIDTH = 320
"""Width of the denoiser that learning rates are given for."""


def learning_rate(width: int) -> float:
    """Return what learning rates are multiplied by for a transformer of a width.

    Source: Yang et al. 2022, "Tensor Programs V", arXiv 2203.03466, table 3.
    """
    return _REFERENCE_WIDTH / width


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
