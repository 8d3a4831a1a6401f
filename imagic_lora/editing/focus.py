"""Where a prompt asks for a change, read off the model's own predictions; no other network.

It knows predictions and latents, not how an edit is sampled.
"""

import torch

from imagic_lora.conditioning import Conditioning, concatenate
from imagic_lora.models.base import LatentModel
from imagic_lora.seeding import generator, randn

_LOOKS = 6
"""Noised copies of the input that are looked at, an even number: few leave the map speckled."""

_LEVELS = (0.3499, 0.8494)
"""Noise levels between which they are noised: below, predictions follow the input alone;
above, they follow the prompt everywhere."""

_SEED = 0
"""Seed of their noises."""

FARTHEST = 8.0
"""Most that a difference is weighted with for being small: beyond, it is rounding and chance."""

_AROUND = 0.035
"""How far neighbours lie that count too, as a share of the shorter side; one place at least."""

_FAINT, _PLAIN = 0.075, 0.2
"""Differences, as a share of the largest, up to which nothing may change and from which all may."""


class Looks:
    """Noised copies of inputs, at which a model looks with one prompt and another.

    The noises are the same for every input and every edit of it: what is found does not depend on an
    edit's seed, nor on what else is in a batch.

    Args:
        model: The model.
        latents: Latents of the inputs, shape (B, C, h, w), on the device.
    """

    def __init__(self, model: LatentModel, latents: torch.Tensor) -> None:
        self._model, self._count = model, len(latents)
        drawn, shape = generator(_SEED, "focus noise"), (1, *latents.shape[1:])
        times = model.objective.time(torch.linspace(*_LEVELS, _LOOKS)).to(latents.device)
        self._times = times.repeat_interleave(len(latents))
        noises = [randn(shape, drawn).to(latents.device).expand_as(latents) for _ in times]
        inputs = latents.repeat(_LOOKS, 1, 1, 1)
        self._noised = model.objective.add_noise(inputs, torch.cat(noises), self._times)

    @torch.no_grad()
    def at(self, prompt: Conditioning) -> torch.Tensor:
        """Return the predictions at a prompt, shape (looks, B, C, h, w).

        Args:
            prompt: One for each row, batch B.
        """
        pair = concatenate([prompt, prompt])  # two looks at once, as a memory plan has counted
        parts = (torch.split(part, 2 * self._count) for part in (self._noised, self._times))
        found = [self._model.predict(x_t, t, pair) for x_t, t in zip(*parts, strict=True)]
        return torch.cat(found).view(_LOOKS, self._count, *self._noised.shape[1:])

    def noises(self, predicted: torch.Tensor) -> torch.Tensor:
        """Return the noises that predictions stand for, of the same shape.

        Args:
            predicted: Result of `at`.
        """
        rows = predicted.view_as(self._noised)
        _, noises = self._model.objective.split(self._noised, rows, self._times)
        return noises.view_as(predicted)


def differences(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return how much predictions differ at each place.

    Args:
        one: Result of `Looks.at`, shape (looks, B, C, h, w).
        other: The same at another prompt.

    Returns:
        A map for each look, shape (looks, B, 1, h, w).

    Source: Couairon et al. 2022 (DiffEdit), arXiv 2210.11427, section 3.2, step 1.
    """
    return (other - one).abs().mean(dim=2, keepdim=True)


def reach(empty: torch.Tensor, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return how many times farther a target is from the empty prompt than from what it starts at.

    Models differ by far more in how far apart two prompts are to them than in how far each is from
    none: where captions are often wrong, or tell much that does not show, a few words more change
    little. Weighted with this, the difference of two prompts is as large as what classifier-free
    guidance adds, on any model.

    Args:
        empty: Noises that are predicted at the empty prompt, shape (looks, B, C, h, w).
        source: The same where the edits' differences start.
        target: The same where they end.

    Returns:
        At least 1, at most 8, shape (B,).
    """
    wide, narrow = ((target - other).square().sum(dim=(0, 2, 3, 4)) for other in (empty, source))
    return (wide / _divisor(narrow)).sqrt().clamp(1, FARTHEST)


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
