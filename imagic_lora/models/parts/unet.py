"""What the UNets of all Stable Diffusion families have in common."""

import hashlib

import torch

UNET_LORA_TARGETS = (
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


def fingerprint(unet: torch.nn.Module) -> str:
    """Return 16 hex digits that tell checkpoints apart, whatever precision they are loaded in.

    The last layer is hashed: training always moves it, and it is small. Half precision is what
    checkpoints are shared in, so a float32 load of one has the same fingerprint.
    """
    weight = unet.get_parameter("conv_out.weight").detach().to("cpu", torch.float16)
    return hashlib.sha256(weight.contiguous().numpy().tobytes()).hexdigest()[:16]
