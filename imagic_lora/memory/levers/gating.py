"""Gated activations that keep nothing for the backward pass but their input, and work in its place.

At the widest feed-forward layer of a UNet, the gradient of `value * gelu(gate)` as PyTorch makes it
is the highest peak of a checkpointed fit.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional

_GATED = "GEGLU"
"""Name of the class that diffusers' feed-forward layers begin with."""


@contextmanager
def gating(denoiser: nn.Module) -> Iterator[None]:
    """Let the gated activations of a denoiser use less memory for the length of a block.

    Results and gradients are the same, bit for bit.

    Args:
        denoiser: A diffusers model; its backward passes end within the block.
    """
    # Where blocks are nested, the outer one has changed every layer and will change it back.
    layers = [
        layer
        for layer in denoiser.modules()
        if type(layer).__name__ == _GATED and "forward" not in vars(layer)
    ]
    for layer in layers:
        layer.forward = partial(_forward, layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _forward(layer: Any, input: torch.Tensor) -> torch.Tensor:
    """Return value * gelu(gate), both projected from the input."""
    output: torch.Tensor = _Gate.apply(layer.proj(input))  # type: ignore[no-untyped-call]
    return output


class _Gate(torch.autograd.Function):
    """From value and gate, side by side, to value * gelu(gate).

    Source: Shazeer 2020, arXiv 2002.05202, equation 5.
    """

    @staticmethod
    def forward(ctx: Any, projected: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(projected)
        value, gate = projected.chunk(2, dim=-1)
        return functional.gelu(gate).mul_(value)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        # Nobody else has kept the projection, so its own place is taken for its gradient.
        projected: torch.Tensor = ctx.saved_tensors[0]
        value, gate = projected.chunk(2, dim=-1)
        value_grad = functional.gelu(gate).mul_(grad)
        value.mul_(grad)
        torch.ops.aten.gelu_backward.grad_input(value, gate, grad_input=gate)
        value.copy_(value_grad)
        return projected
