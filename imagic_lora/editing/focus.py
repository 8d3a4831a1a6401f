"""Where a prompt asks for a change, read off the model's own predictions; no other network.

It knows predictions and latents, not how an edit is sampled.
"""

from collections.abc import Iterator, Sequence

import torch

from imagic_lora.conditioning import Conditioning, concatenate
from imagic_lora.models.base import LatentModel
from imagic_lora.seeding import generator, randn

_LOOKS = 12
"""Noised copies of the input that are looked at: fewer leave the map speckled."""

_LEVELS = (0.3499, 0.8494)
"""Noise levels between which they are noised: below, predictions follow the input alone;
above, they follow the prompt everywhere."""

_GLANCES = 6
"""Noised copies from which it is told how far prompts are apart."""

_FARTHEST = 8.0
"""Most that a difference is weighted with for being small: beyond, it is rounding and chance."""

_AROUND = 0.035
"""How far neighbours lie that count too, as a share of the shorter side; one place at least."""

_FAINT, _PLAIN = 0.075, 0.2
"""Differences, as a share of the largest, up to which nothing may change and from which all may."""


@torch.no_grad()
def differences(
    model: LatentModel,
    latents: torch.Tensor,
    source: Conditioning,
    target: Conditioning,
    seeds: Sequence[int],
) -> torch.Tensor:
    """Return how much predictions on the input change at each place when the prompt does.

    Args:
        model: The model.
        latents: Latents of the inputs, shape (B, C, h, w).
        source: One prompt for each row, batch B.
        target: The other, batch B.
        seeds: Seed of the noises of each row.

    Returns:
        A map for each noised copy of the inputs, shape (looks, B, 1, h, w).

    Source: Couairon et al. 2022 (DiffEdit), arXiv 2210.11427, section 3.2, step 1.
    """
    both = concatenate([source, target])
    found = []
    for x_t, t in _noised(model, latents, "focus noise", seeds, _LOOKS):
        predicted = model.predict(x_t.repeat(2, 1, 1, 1), t.repeat(2), both)
        at_source, at_target = predicted.chunk(2)
        found.append((at_target - at_source).abs().mean(dim=1, keepdim=True))
    return torch.stack(found)


@torch.no_grad()
def reach(
    model: LatentModel,
    latents: torch.Tensor,
    empty: Conditioning,
    source: Conditioning,
    target: Conditioning,
) -> torch.Tensor:
    """Return how many times farther a target is from the empty prompt than from what it starts at.

    Models differ by far more in how far apart two prompts are to them than in how far each is from
    none: where captions are often wrong, or tell much that does not show, a few words more change
    little. Weighted with this, the difference of two prompts is as large as what classifier-free
    guidance adds, on any model.

    Args:
        model: The model, with the adapters in it.
        latents: Latents of the inputs, shape (B, C, h, w).
        empty: The empty prompt, batch B.
        source: Where the edits' differences start, batch B.
        target: Where they end, batch B.

    Returns:
        At least 1, at most 8, shape (B,).
    """
    wide, narrow = torch.zeros(2, len(latents), device=latents.device)
    for x_t, t in _noised(model, latents, "reach noise", [0] * len(latents), _GLANCES):
        at_empty, at_source, at_target = (
            model.objective.split(x_t, model.predict(x_t, t, prompt), t)[1]
            for prompt in (empty, source, target)
        )
        wide += (at_target - at_empty).square().sum(dim=(1, 2, 3))
        narrow += (at_target - at_source).square().sum(dim=(1, 2, 3))
    found: torch.Tensor = (wide / _divisor(narrow)).sqrt().clamp(1, _FARTHEST)
    return found


def _noised(
    model: LatentModel, latents: torch.Tensor, name: str, seeds: Sequence[int], count: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield noised copies of the inputs, shape (B, C, h, w), each with its times, shape (B,).

    Args:
        model: The model.
        latents: Latents of the inputs, shape (B, C, h, w).
        name: What the noise is for.
        seeds: Seed of the noises of each row.
        count: How many copies.
    """
    generators = [generator(seed, name) for seed in seeds]
    for level in model.objective.time(torch.linspace(*_LEVELS, count)).to(latents.device):
        noise = torch.cat([randn((1, *latents.shape[1:]), one) for one in generators])
        t = level.expand(len(latents))
        yield model.objective.add_noise(latents, noise.to(latents.device), t), t


def change_map(asked: torch.Tensor) -> torch.Tensor:
    """Return how much a target asks for a change at each place, as a share of each row's largest.

    Args:
        asked: Result of `differences` between what reconstructs the inputs and the targets.

    Returns:
        Shares from 0 to 1, shape (B, 1, h, w).
    """
    return _scaled(_smooth(_scaled(asked).sum(dim=0)))


def asked_share(asked: torch.Tensor, said: torch.Tensor) -> torch.Tensor:
    """Return how much of what prompts change at each place is asked for by the target.

    A target "in the snow" does not say that a caption's "at sunset" has to go, nor that its "cat
    ears" may stay. But it asks for most where the sky is, and the ears are mostly the caption's.

    Args:
        asked: Result of `differences` between what caption and target share, and the target.
        said: The same between what they share and the caption.

    Returns:
        Shares from 0 to 1, shape (B, 1, h, w); 1 where the caption says nothing more.
    """
    asked, said = _smooth(asked.sum(dim=0)), _smooth(said.sum(dim=0))
    return 1 - said / _divisor(asked + said)


def _smooth(maps: torch.Tensor) -> torch.Tensor:
    """Return maps in which neighbours count too: a new thing is rarely just where the old one was.

    How far does not depend on the resolution: a hat is as large a part of a picture at any.
    """
    around = max(1, round(_AROUND * min(maps.shape[-2:])))
    return torch.nn.functional.avg_pool2d(maps, 2 * around + 1, 1, around, count_include_pad=False)


def _scaled(maps: torch.Tensor) -> torch.Tensor:
    """Return maps as shares of the largest value of each; a map of zeros stays."""
    return maps / _divisor(maps.amax(dim=(-3, -2, -1), keepdim=True))


def _divisor(values: torch.Tensor) -> torch.Tensor:
    """Return values, none of them zero."""
    return values.clamp(min=torch.finfo(values.dtype).tiny)


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
