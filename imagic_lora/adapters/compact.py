"""Smaller weights: the parts of a LoRA that change the most for the bytes that they take."""

from collections.abc import Mapping

import torch

from imagic_lora.adapters.weights import ranks

_BYTES = 2


def compact_weights(weights: Mapping[str, torch.Tensor], max_bytes: int) -> dict[str, torch.Tensor]:
    """Return LoRA weights of at most so many bytes, as near to the given ones as these allow.

    Each layer's change of its weight is taken apart into parts of rank 1 by its singular values.
    Over all layers, those parts are kept that have the most energy for the bytes that they take, so
    that a layer gets the rank that it needs, and one that hardly changes is left out.
    Source: Eckart and Young 1936; the choice over layers is that of a knapsack by value per weight.

    Args:
        weights: LoRA tensors by name, half precision.
        max_bytes: Bytes of the tensors that are returned.
    """
    parts = {path: _decompose(weights, path) for path in ranks(weights)}
    ranked = sorted(
        (
            (float(value**2) / _cost(weights, path), path)
            for path, (_, values, _) in parts.items()
            for value in values
        ),
        reverse=True,
    )
    kept, left = dict.fromkeys(parts, 0), max_bytes
    for _, path in ranked:
        cost = _cost(weights, path)
        if cost <= left:
            kept[path], left = kept[path] + 1, left - cost
    compacted: dict[str, torch.Tensor] = {}
    for path, rank in kept.items():
        if rank:
            compacted |= _compose(weights, path, parts[path], rank)
    return compacted


def _cost(weights: Mapping[str, torch.Tensor], path: str) -> int:
    """Return the bytes of one rank of a layer."""
    down, up = weights[f"{path}.lora_A.weight"], weights[f"{path}.lora_B.weight"]
    return _BYTES * (down[0].numel() + len(up))


def _decompose(
    weights: Mapping[str, torch.Tensor], path: str
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the singular vectors and values of up times down: (out, r), (r,) and (r, in).

    Only matrices as small as the rank are taken apart, since the product is never made.
    """
    up = weights[f"{path}.lora_B.weight"].double().flatten(1)
    down = weights[f"{path}.lora_A.weight"].double().flatten(1)
    left, upper = torch.linalg.qr(up)
    right, lower = torch.linalg.qr(down.T)
    inner_left, values, inner_right = torch.linalg.svd(upper @ lower.T)
    return left @ inner_left, values, inner_right @ right.T


def _compose(
    weights: Mapping[str, torch.Tensor],
    path: str,
    parts: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    rank: int,
) -> dict[str, torch.Tensor]:
    """Return a layer's weights of a rank, its energy shared evenly by the two matrices."""
    left, values, right = parts
    root = values[:rank].sqrt()
    down, up = f"{path}.lora_A.weight", f"{path}.lora_B.weight"
    return {
        down: (root[:, None] * right[:rank]).view(-1, *weights[down].shape[1:]).half(),
        up: (left[:, :rank] * root).view(len(left), rank, *weights[up].shape[2:]).half(),
    }
