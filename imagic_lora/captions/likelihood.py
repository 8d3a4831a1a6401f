"""What the model itself says of a picture and prompts, without any other network."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from imagic_lora.conditioning import Conditioning, concatenate
from imagic_lora.models.base import LatentModel
from imagic_lora.seeding import generator, randn

_LOOKS = 10
"""Noised copies of a picture that are looked at, if nothing else is said."""

_LEVELS = (0.25, 0.9)
"""Noise levels between which they are noised: where prompts make a difference."""


@torch.no_grad()
def surprise(
    model: LatentModel,
    latents: torch.Tensor,
    prompt: Conditioning,
    seed: int,
    looks: int = _LOOKS,
) -> float:
    """Return the mean squared error of the model's predictions on a picture, given a prompt.

    It bounds the negative log-likelihood of the picture, so of two pictures the model finds that
    with the smaller surprise likelier. Only the same noises compare.

    Args:
        model: The model, with no adapter in it, since that would know the input by heart.
        latents: Latents of the picture, shape (1, C, h, w).
        prompt: What the picture should show, batch 1.
        seed: Seed of the noises.
        looks: Noised copies of the picture that are looked at.

    Source: Li et al. 2023 (Diffusion Classifier), arXiv 2303.16203, equation 5.
    """
    objective = model.objective
    total = 0.0
    for x_t, noise, t in _looks(model, latents, seed, looks):
        target = objective.target(latents, noise, t)
        predicted = model.predict(x_t, t, prompt)
        total += torch.nn.functional.mse_loss(predicted, target).item()
    return total / looks


@dataclass(frozen=True)
class Pull:
    """How a model, looking at a noised picture, is drawn from one prompt towards another.

    With e the noise, and e_s and e_t what is predicted of it at source and target, d = e_t - e_s.
    A picture that comes from the target leaves nothing of e_t - e along d, one that comes from the
    source nothing of e_s - e. The picture's own texture and contrast are in both and cancel.

    Attributes:
        left: Sum of <e_t - e, d>: how far it is still to the target.
        whole: Sum of |d|^2: how far the prompts are apart.
    """

    left: float
    whole: float

    @property
    def place(self) -> float:
        """Where between the source, 0, and the target, 1, the model sees the picture."""
        return 1 - self.left / self.whole if self.whole else 1.0

    def remaining(self, before: "Pull") -> float:
        """Return how much is left as a share of what there was on an edit's input.

        Args:
            before: The pull of the input.
        """
        # Where the prompts hardly differ on the input there is little to divide by.
        return self.left / (max(before.left, before.whole / 4) or 1.0)


@torch.no_grad()
def pull(
    model: LatentModel,
    latents: torch.Tensor,
    source: Conditioning,
    target: Conditioning,
    seed: int,
) -> Pull:
    """Return how a model is drawn from one prompt towards another when it looks at a picture.

    Args:
        model: The model, with no adapter in it, since that would know the input by heart.
        latents: Latents of the picture, shape (1, C, h, w).
        source: What the input shows, batch 1.
        target: What the picture should show, batch 1.
        seed: Seed of the noises; only the same noises compare.

    Source: Kong et al. 2023, arXiv 2310.07972, equation 5, as a share between two prompts.
    """
    objective, prompts = model.objective, concatenate([source, target])
    left = whole = 0.0
    for x_t, noise, t in _looks(model, latents, seed, _LOOKS, paired=True):
        predicted = model.predict(x_t.repeat(2, 1, 1, 1), t.repeat(2), prompts)
        _, noises = objective.split(x_t.repeat(2, 1, 1, 1), predicted, t.repeat(2))
        at_source, at_target = noises.chunk(2)
        difference = at_target - at_source
        left += ((at_target - noise) * difference).sum().item()
        whole += difference.square().sum().item()
    return Pull(left, whole)


def _looks(
    model: LatentModel, latents: torch.Tensor, seed: int, count: int, *, paired: bool = False
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Yield noised copies of a picture, each with its noise and its time, shape (1,).

    In pairs, each noise comes with its opposite: a noise that happens to look like what a prompt
    says, as smooth ones do for a background, then counts for it once and against it once.
    """
    noises, signs = generator(seed, "likelihood noise"), (1, -1) if paired else (1,)
    levels = torch.linspace(*_LEVELS, count // len(signs))
    for t in model.objective.time(levels).to(latents.device).view(-1, 1):
        drawn = randn(tuple(latents.shape), noises).to(latents.device)
        for noise in (sign * drawn for sign in signs):
            yield model.objective.add_noise(latents, noise, t), noise, t
