"""Where a prompt asks for a change, read off the model's own predictions; no other network.

It knows predictions and latents, not how an edit is sampled.
"""

from collections.abc import Sequence

import torch

from imagic_lora.conditioning import Conditioning, concatenate
from imagic_lora.models import LatentModel
from imagic_lora.seeding import generator, randn

_LOOKS = 12
"""Noised copies of the input that are looked at: fewer leave the map speckled."""

_LEVELS = (0.35, 0.85)
"""Shares of the schedule between which they are noised: below, predictions follow the input alone;
above, they follow the prompt everywhere."""

_FAINT, _PLAIN = 0.15, 0.4
"""Differences, as a share of the largest, up to which nothing may change and from which all may."""


@torch.no_grad()
def change_map(
    model: LatentModel,
    latents: torch.Tensor,
    source: Conditioning,
    target: Conditioning,
    seeds: Sequence[int],
) -> torch.Tensor:
    """Return how much the prediction changes at each place when the prompt does.

    Args:
        model: The model.
        latents: Latents of the inputs, shape (B, C, h, w).
        source: What reconstructs the inputs, batch B.
        target: What describes the edits, batch B.
        seeds: Seed of the noises of each row.

    Returns:
        Differences as a share of each row's largest, shape (B, 1, h, w).

    Source: Couairon et al. 2022 (DiffEdit), arXiv 2210.11427, section 3.2, step 1.
    """
    objective = model.objective
    low, high = (round(level * (objective.timesteps - 1)) for level in _LEVELS)
    generators = [generator(seed, "focus noise") for seed in seeds]
    both = concatenate([source, target])
    total = torch.zeros_like(latents[:, :1])
    for level in torch.linspace(low, high, _LOOKS).long().tolist():
        noise = torch.cat([randn((1, *latents.shape[1:]), one) for one in generators])
        t = torch.full((len(latents),), level, device=latents.device)
        x_t = objective.add_noise(latents, noise.to(latents.device), t)
        predicted = model.predict(x_t.repeat(2, 1, 1, 1), t.repeat(2), both)
        at_source, at_target = predicted.chunk(2)
        total += _scaled((at_target - at_source).abs().mean(dim=1, keepdim=True))
    # Neighbours count too: latents are coarse, and an edit needs room at its edges.
    smooth = torch.nn.functional.avg_pool2d(total, 3, 1, 1, count_include_pad=False)
    return _scaled(smooth)


def _scaled(maps: torch.Tensor) -> torch.Tensor:
    """Return maps as shares of the largest value of each; a map of zeros stays."""
    largest = maps.amax(dim=(1, 2, 3), keepdim=True)
    return maps / largest.clamp(min=torch.finfo(maps.dtype).tiny)


def focus_mask(change: torch.Tensor, focus: float) -> torch.Tensor:
    """Return where an edit may change the picture, as a soft mask.

    Args:
        change: Result of `change_map`.
        focus: 0 lets everything change; 1 holds the edit to where the prompt asks for a change;
            more is stricter still.

    Returns:
        Shares from 0 (the input stays) to 1 (free), of the map's shape.
    """
    if focus == 0:
        return torch.ones_like(change)
    faint, plain = focus * _FAINT, focus * _PLAIN
    return ((change - faint) / (plain - faint)).clamp(0, 1)
