"""How likely the model finds a picture under a prompt: its own loss, without any other network."""

import torch

from imagic_lora.conditioning import Conditioning
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
    objective, noises = model.objective, generator(seed, "likelihood noise")
    total = 0.0
    for t in objective.time(torch.linspace(*_LEVELS, looks)).to(latents.device).view(-1, 1):
        noise = randn(tuple(latents.shape), noises).to(latents.device)
        predicted = model.predict(objective.add_noise(latents, noise, t), t, prompt)
        target = objective.target(latents, noise, t)
        total += torch.nn.functional.mse_loss(predicted, target).item()
    return total / looks
