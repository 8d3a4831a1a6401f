"""The names and shapes of LoRA weights: which layer each belongs to, and whether it fits."""

from collections.abc import Mapping

import torch
from torch import nn

from imagic_lora.errors import AdapterMismatchError

Weights = Mapping[str, torch.Tensor]
"""LoRA tensors by name: "<module>.lora_A.weight" (rank first) and "<module>.lora_B.weight"."""

_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"


def ranks(weights: Weights) -> dict[str, int]:
    """Return the rank of each layer by its path."""
    return {
        name.removesuffix(_DOWN): len(tensor)
        for name, tensor in weights.items()
        if name.endswith(_DOWN)
    }


def pair(weights: Weights, path: str) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Return the two matrices of a layer, or None where an adapter does not change it."""
    down = weights.get(path + _DOWN)
    return None if down is None else (down, weights[path + _UP])


def weight_shape(layer: nn.Module | None) -> tuple[int, ...]:
    """Return the shape of a layer's weight, or () where it can have no LoRA; no weight is read."""
    if isinstance(layer, nn.Linear):
        return layer.out_features, layer.in_features
    if isinstance(layer, nn.Conv2d):
        return layer.out_channels, layer.in_channels // layer.groups, *layer.kernel_size
    return ()


def check_fit(layers: Mapping[str, nn.Module], weights: Weights) -> None:
    """Raise unless every weight has a layer of its shape in the denoiser.

    Args:
        layers: The denoiser's modules by their paths.
        weights: The weights that are meant for it.

    Raises:
        AdapterMismatchError: When the denoiser has no such layer, or one of another shape.
    """
    for name, tensor in weights.items():
        path, _, which = name.removesuffix(".weight").rpartition(".")
        shape = weight_shape(layers.get(path))
        if not shape:
            raise AdapterMismatchError(
                f"The adapter changes the layer {path!r}, which this model does not have; "
                "it was fitted on a model of another shape."
            )
        expected = shape[1:] if which == "lora_A" else shape[:1]
        found = tuple(tensor.shape[1:] if which == "lora_A" else tensor.shape[:1])
        if expected != found:
            raise AdapterMismatchError(
                f"The adapter's {name!r} is made for a layer of shape {found}, but this "
                f"model's is {expected}; it was fitted on a model of another shape."
            )
