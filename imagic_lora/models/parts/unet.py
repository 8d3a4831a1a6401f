"""What the UNets of all Stable Diffusion families have in common."""

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
