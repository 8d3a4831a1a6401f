"""Smaller weights: the parts of a LoRA that change the most for the bytes that they take."""

import torch

from imagic_lora.adapters.weights import Pair, Weights

_BYTES = 2


def compact_weights(weights: Weights, max_bytes: int) -> Weights | None:
    """Return LoRA weights of at most so many bytes, as near to the given ones as these allow.

    Each layer's change of its weight is taken apart into parts of rank 1 by its singular values.
    Over all layers, those parts are kept that have the most energy for the bytes that they take, so
    that a layer gets the rank that it needs, and one that hardly changes is left out.
    Source: Eckart and Young 1936; the choice over layers is that of a knapsack by value per weight.

    Args:
        weights: The weights, half precision.
        max_bytes: Bytes of the tensors that are returned.

    Returns:
        The weights, or None where not one part has room.
    """
    parts = {path: _decompose(pair) for path, pair in weights.pairs.items()}
    costs = {path: _cost(pair) for path, pair in weights.pairs.items()}
    ranked = sorted(
        (
            (float(value**2) / costs[path], path)
            for path, (_, values, _) in parts.items()
            for value in values
        ),
        reverse=True,
    )
    kept, left = dict.fromkeys(parts, 0), max_bytes
    for _, path in ranked:
        if costs[path] <= left:
            kept[path], left = kept[path] + 1, left - costs[path]
    pairs = weights.pairs
    smaller = {
        path: _compose(pairs[path], parts[path], rank) for path, rank in kept.items() if rank
    }
    return Weights.of(smaller) if smaller else None


def _cost(pair: Pair) -> int:
    """Return the bytes of one rank of a layer."""
    return _BYTES * (pair.down[0].numel() + len(pair.up))


def _decompose(pair: Pair) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the singular vectors and values of up times down: (out, r), (r,) and (r, in).

    Only matrices as small as the rank are taken apart, since the product is never made.
    """
    left, upper = torch.linalg.qr(pair.up.double().flatten(1))
    right, lower = torch.linalg.qr(pair.down.double().flatten(1).T)
    inner_left, values, inner_right = torch.linalg.svd(upper @ lower.T)
    return left @ inner_left, values, inner_right @ right.T


def _compose(pair: Pair, parts: tuple[torch.Tensor, torch.Tensor, torch.Tensor], rank: int) -> Pair:
    """Return a layer's matrices of a rank, its energy shared evenly by the two."""
    left, values, right = parts
    root = values[:rank].sqrt()
    return Pair(
        (root[:, None] * right[:rank]).view(-1, *pair.down.shape[1:]).half(),
        (left[:, :rank] * root).view(len(left), rank, *pair.up.shape[2:]).half(),
    )
