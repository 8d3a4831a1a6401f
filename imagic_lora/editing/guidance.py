"""What is predicted at each step: how an edit enters is one function of (x_t, t), chosen by name.

"guided" adds the difference of two predictions to the reconstruction, "interpolated" is the paper's
straight line between embeddings. What keeps an edit to what the prompt names is in trajectory.py
and focus.py.
"""

from collections.abc import Callable

import torch

from imagic_lora.conditioning import Conditioning, concatenate, evened, interpolate
from imagic_lora.models.base import LatentModel

PUSH = 2.0
"""How far an edit is pushed at alpha 1, in differences that the whole of its prompt makes."""

FIXED = 1.5
"""Guidance where none is given and none is looked for."""

Predictor = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From x_t (B, C, h, w) and t (B,) to a prediction of the same shape as x_t."""


def guided(
    model: LatentModel,
    own: Conditioning,
    away: Conditioning,
    target: Conditioning,
    strength: float | torch.Tensor | Callable[[], torch.Tensor],
    release: Callable[[], torch.Tensor] | None = None,
) -> Predictor:
    """Predict the reconstruction plus `strength` times the difference that the target makes.

    At strength 0 this is the reconstruction alone, without a trace of the target; at 1, with `away`
    the same as `own`, it is the prediction at the target. It is classifier-free guidance with the
    image's own prediction in place of the unconditional one.
    Source: Ho and Salimans 2022, arXiv 2207.12598, equation 6.

    Args:
        model: The model, with the adapter switched in.
        own: Conditioning that reconstructs the input, batch 1 or one for each row.
        away: Conditioning that the difference starts at, batch 1 or one for each row.
        target: Conditioning that the difference ends at, batch 1 or one for each row.
        strength: Any real number, or one for each row, shape (B,), or what returns such when a
            prediction is made.
        release: Returns the share of what only `own` says that is let go of, from 0 to 1, shape
            (B, 1, h, w); called when a prediction is made. What `own` says may stand in the way: a
            target "in the snow" does not say that a caption's "at sunset" has to go.
    """

    def weight() -> torch.Tensor:
        found = strength() if callable(strength) else strength
        return torch.as_tensor(found, dtype=torch.float32, device=own.tokens.device).view(
            -1, 1, 1, 1
        )

    if not callable(strength) and not weight().any():
        return lambda x_t, t: model.predict(x_t, t, own.repeat(len(x_t)))
    if away is own:
        return lambda x_t, t: _blend(_predict_all(model, x_t, t, own, target), weight())

    def predict(x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        # Not all three in one batch: two are as many as a memory plan has counted.
        at_own = model.predict(x_t, t, own.repeat(len(x_t)))
        at_away, at_target = _predict_all(model, x_t, t, away, target)
        kept = torch.lerp(at_own, at_away, release()) if release else at_own
        return kept + weight() * (at_target - at_away)

    return predict


def classifier_free(
    model: LatentModel, away: Conditioning, towards: Conditioning, guidance: float
) -> Predictor:
    """Predict with classifier-free guidance, as text-to-image does.

    Args:
        model: The model, with or without an adapter.
        away: Conditioning of the negative or the empty prompt, batch 1.
        towards: Conditioning to follow, batch 1 or one for each row.
        guidance: 1 is the bare prediction.
    """
    if guidance == 1:
        return lambda x_t, t: model.predict(x_t, t, towards.repeat(len(x_t)))
    return lambda x_t, t: _blend(_predict_all(model, x_t, t, away, towards), guidance)


def interpolated(
    model: LatentModel,
    away: Conditioning,
    own: Conditioning,
    target: Conditioning,
    alpha: float | torch.Tensor,
    guidance: float,
) -> Predictor:
    """Predict at a point of the line from the optimised embedding to the target's.

    Args:
        model: The model, with the adapter switched in.
        away: Conditioning of the negative or the empty prompt, batch 1.
        own: The optimised conditioning, batch 1 or one for each row.
        target: The target's conditioning, of the same shape.
        alpha: Where on the line: 0 is own, 1 is target; a number, or one for each row.
        guidance: Classifier-free guidance; 1 is the bare prediction.

    Source: Kawar et al. 2022, arXiv 2210.09276, equation 3.
    """
    if model.traits.chunks > 1:
        own, target = evened(own, target)
    return classifier_free(model, away, interpolate(own, target, alpha), guidance)


def _predict_all(
    model: LatentModel, x_t: torch.Tensor, t: torch.Tensor, *conditionings: Conditioning
) -> tuple[torch.Tensor, ...]:
    """Return the predictions at several conditionings, made in one batch."""
    count = len(conditionings)
    batch = concatenate([part.repeat(len(x_t)) for part in conditionings])
    return model.predict(x_t.repeat(count, 1, 1, 1), t.repeat(count), batch).chunk(count)


def _blend(pair: tuple[torch.Tensor, ...], weight: float | torch.Tensor) -> torch.Tensor:
    """Return first + weight (second - first)."""
    first, second = pair
    return first + weight * (second - first)
