"""What the UNets of all Stable Diffusion families have in common."""

from typing import Any

from imagic_lora.errors import ModelError

LORA_TARGETS = (
    "to_q",
    "to_k",
    "to_v",
    "to_out.0",
    "ff.net.0.proj",
    "ff.net.2",
    "conv1",
    "conv2",
)
"""Attention, feed-forward and the convolutions of the residual blocks.

Attention alone keeps far less of the input at the same loss: see docs/recipe.md.
"""

_REFERENCE_WIDTH = 320
"""Channels of the first level of the UNet that learning rates are given for."""


def learning_rate(unet: Any) -> float:
    """Return what learning rates are multiplied by for a UNet of another width.

    Source: Yang et al. 2022, "Tensor Programs V", arXiv 2203.03466, table 3.
    """
    return _REFERENCE_WIDTH / int(unet.config.block_out_channels[0])


def check_channels(unet: Any, channels: int, name: str) -> None:
    """Raise unless a UNet takes latents alone, as models that make pictures from text do.

    Args:
        unet: The UNet.
        channels: Channels of the latents.
        name: Name of the model, for the message.

    Raises:
        ModelError: When it takes more than latents.
    """
    found = int(unet.config.in_channels)
    if found != channels:
        raise ModelError(
            f"The UNet of the model {name!r} takes {found} channels and latents have {channels}: it "
            "is made for inpainting or for editing by instructions; take the ordinary model that "
            "it was made from."
        )
