"""Weights in scaled 8-bit floats, as ComfyUI and the makers of FLUX.2 keep them.

Beside a layer's `weight` lies what it is to be multiplied by; what its inputs would be multiplied by
is of no use here, where layers compute in 16 bits.

Source: ComfyUI's QUANTIZATION.md, github.com/comfyanonymous/ComfyUI.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch

from imagic_lora.errors import ModelError

_SCALES = ("scale_weight", "weight_scale")
"""Last words of the names of scales, in ComfyUI's former files and in those of today."""

_NOTES = (*_SCALES, "scale_input", "input_scale", "scaled_fp8", "comfy_quant")
"""Last words of what stands beside weights and is none."""

_FLOATS = ("F8_E4M3", "F8_E5M2")
"""Kinds of weights that one scale is enough for, by safetensors' names."""


def find_scales(file: Any, name: str) -> dict[str, str]:
    """Return the name of the scale of each scaled weight, by the weight's name.

    Args:
        file: An open safetensors file.
        name: What to call it.

    Raises:
        ModelError: When weights are of another kind, or have scales block by block.
    """
    keys = set(file.keys())
    found = {}
    for key in sorted(keys):
        layer, _, word = key.rpartition(".")
        weight = f"{layer}.weight"
        if word not in _SCALES or weight not in keys:
            continue
        kind, count = file.get_slice(weight).get_dtype(), file.get_slice(key).get_shape()
        if kind not in _FLOATS or math.prod(count) != 1:
            raise ModelError(
                f"The file {name!r} is a checkpoint in 4 bits, whole numbers or blocks with a scale "
                "each; use the same checkpoint in 16 bits, or in 8-bit floats (fp8)."
            )
        found[weight] = key
    return found


def is_note(key: str) -> bool:
    """Return whether a tensor tells of weights and is none itself.

    Args:
        key: Its name.
    """
    return key.rpartition(".")[2] in _NOTES


def read(file: Any, key: str, scales: Mapping[str, str], dtype: torch.dtype) -> torch.Tensor:
    """Return a weight; one in 8-bit floats in the precision that is asked for, scaled.

    Args:
        file: An open safetensors file.
        key: Its name.
        scales: The names of scales, as `find_scales` gives them.
        dtype: Precision of the network.
    """
    weight: torch.Tensor = file.get_tensor(key)
    if key in scales:
        # In float32, so that rounding to the precision of the network is the only one.
        scale: torch.Tensor = file.get_tensor(scales[key])
        return (weight.float() * scale.float().reshape(())).to(dtype)
    return weight.to(dtype) if weight.dtype.itemsize == 1 and weight.is_floating_point() else weight
