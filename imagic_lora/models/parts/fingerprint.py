"""Telling checkpoints apart by a glance at their weights, whatever precision they are loaded in."""

import hashlib

import torch
from torch import nn

_GLANCE = 64
"""Values of each weight that are looked at."""

_FORMER = "conv_out.weight"


def fingerprints(denoiser: nn.Module) -> tuple[str, ...]:
    """Return what may stand for a checkpoint in an adapter, today's fingerprint first.

    Args:
        denoiser: The network that predicts, before a lever changes how its weights are stored.
    """
    return (_of_signs(denoiser), *_of_last_layer(denoiser))


def _of_signs(denoiser: nn.Module) -> str:
    """Return a hash of the signs at the beginning of every weight.

    Every one, since a merged LoRA may have changed attention alone. Of a value that is rounded to
    half precision nothing but the sign is certain to stay, and any training turns some signs.
    """
    digest = hashlib.sha256()
    for name, weight in sorted(denoiser.named_parameters()):
        if weight.dim() > 1 and not weight.is_meta:
            signs = torch.signbit(weight.detach().flatten()[:_GLANCE])
            digest.update(name.encode() + bytes(signs.tolist()))
    return f"signs-{digest.hexdigest()[:16]}"


def _of_last_layer(denoiser: nn.Module) -> list[str]:
    """Return the fingerprints of version 0.1: the last layer's hash, loaded as here or in bfloat16."""
    weight = dict(denoiser.named_parameters()).get(_FORMER)
    if weight is None or weight.is_meta:
        return []
    loads = (weight.detach().cpu(), weight.detach().cpu().bfloat16())
    halves = [load.to(torch.float16).contiguous().numpy().tobytes() for load in loads]
    return [hashlib.sha256(half).hexdigest()[:16] for half in halves]
