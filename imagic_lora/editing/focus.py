"""Where a prompt asks for a change, and where an edit makes one; no other network.

The one is read off the model's own predictions on the input, the other off the edit's latents. It
does not know how an edit is sampled.
"""

import torch

FARTHEST = 8.0
"""Most that a difference is weighted with for being small: beyond, it is rounding and chance."""

_AROUND = 0.035
"""How far neighbours lie that count too, as a share of the shorter side; one place at least."""

_LEAST = 0.1
"""Share of a picture that counts as what an edit changes the least."""

_FAINT, _PLAIN = 0.05, 0.3
"""Changes, from the least at 0 to the most at 1, up to which the input stays and from which all is
free."""

_EVERYWHERE = (0.4, 0.6)
"""Least change, as a share of the most, from which an edit begins to mean the whole picture, and from
which it plainly does: a style, or a time of day."""


def differences(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return how much predictions differ at each place.

    Args:
        one: Result of `models.looks.Looks.at`, shape (looks, B, C, h, w).
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


def focus_mask(before: torch.Tensor, after: torch.Tensor, focus: float) -> torch.Tensor:
    """Return where an edit may change its input, by where it changes it the most.

    What a prompt asks for moves some of a picture far, and drags the rest along a little. How far
    apart prompts are to a model says less of where: they may differ the most on what they both name.

    Args:
        before: Latents of the inputs, shape (B, C, h, w).
        after: What the edits make of them, as far as it is known, of the same shape.
        focus: 1 holds the edit to where it changes the picture plainly; more is stricter, less,
            above 0, holds it less.

    Returns:
        Shares from 0 (the input stays) to 1 (free), shape (B, 1, h, w).
    """
    changed = _smooth(_moved(before, after).sqrt())
    floor, most = changed.flatten(1).quantile(_LEAST, dim=1), changed.amax(dim=(1, 2, 3))
    floor, most = floor.view(-1, 1, 1, 1), most.view(-1, 1, 1, 1)
    share = (changed - floor) / _divisor(most - floor)
    faint, plain = (1 - (1 - each) ** focus for each in (_FAINT, _PLAIN))
    held = (share - faint) / (plain - faint)
    low, high = _EVERYWHERE
    everywhere = (floor / _divisor(most) - low) / (high - low)
    return torch.maximum(held, everywhere).clamp(0, 1)


def spill(before: torch.Tensor, after: torch.Tensor, change: torch.Tensor) -> torch.Tensor:
    """Return how much edits changed where their targets ask for little.

    Args:
        before: Latents of the inputs, shape (B, C, h, w).
        after: Latents of the edits, of the same shape.
        change: Result of `change_map`.

    Returns:
        Root mean square of the change, each place weighing less the more is asked for there, in
        standard deviations of the input over its places, shape (B,).
    """
    weight = (1 - change).square()
    moved = weight * _moved(before, after)
    mean = moved.sum(dim=(1, 2, 3)) / _divisor(weight.sum(dim=(1, 2, 3)))
    spread = before.var(dim=(2, 3), correction=0).mean(dim=1)
    return (mean / _divisor(spread)).sqrt()


def _moved(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """Return the mean square of a change of latents over channels, shape (B, 1, h, w)."""
    return (after - before).square().mean(dim=1, keepdim=True)
