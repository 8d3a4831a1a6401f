"""The input as a fit now knows it: a few denoising steps, in less time than a step takes."""

import torch
from PIL import Image

from imagic_lora.fitting.loss import Loss
from imagic_lora.images.pixels import to_images
from imagic_lora.memory import is_shortage, unrelieved
from imagic_lora.seeding import generator, randn

_STEPS = 8
"""Denoising steps of a preview: enough to tell the picture, at half the cost of a step."""

_STRENGTH = 0.75
"""Share of the noise levels that are run."""


@torch.no_grad()
def preview(loss: Loss, seed: int) -> Image.Image | None:
    """Return the input as the model now draws it, or None where memory is too short.

    It begins with so much noise that little more than the layout is left of the input. A few
    denoising steps cost less than one optimiser step, whose backward pass alone is twice a
    prediction for every sample.

    Args:
        loss: What is being fitted, with the model ready to predict.
        seed: Seed of the noise.
    """
    model, shape = loss.model, tuple(loss.latents.shape)
    if model.plan.offload_denoiser:
        return None
    try:
        with unrelieved():
            sampler = model.sampler("ddim", _STEPS, shape)
            noise = randn(shape, generator(seed, "preview noise")).to(loss.latents.device)
            x_t = sampler.start(noise, loss.latents, _STRENGTH)
            for t in sampler.times:
                predicted = model.predict(x_t, t.expand(1), loss.conditioning)
                x_t = sampler.step(predicted, t, x_t, [])
            return to_images(model.decode(x_t))[0]
    except (RuntimeError, MemoryError) as error:
        if is_shortage(error):
            return None
        raise
