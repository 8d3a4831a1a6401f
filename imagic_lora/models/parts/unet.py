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


_MADE_FOR = {
    1: "to be given depths",
    3: "to enlarge pictures",
    4: "for editing by instructions (InstructPix2Pix)",
    5: "for inpainting",
}


def check_channels(found: int, channels: int, name: str) -> None:
    """Raise unless a UNet takes latents alone, as models that make pictures from text do.

    Args:
        found: Channels that it takes.
        channels: Channels of the latents.
        name: Name of the model, for the message.

    Raises:
        ModelError: When it takes more than latents.
    """
    if found != channels:
        purpose = _MADE_FOR.get(found - channels, "for another purpose")
        raise ModelError(
            f"The UNet of the model {name!r} takes {found} channels and latents have {channels}: it "
            f"is made {purpose}; take the ordinary model that it was made from."
        )
