"""From noise, or from a noised input, to latents: the denoising loop and what is predicted in it.

How an edit enters is one function of (x_t, t), chosen by name: "guided" adds the difference of two
predictions to the reconstruction, "interpolate" is the paper's straight line between embeddings.
What keeps an edit to what the prompt names is in trail.py and focus.py.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from PIL import Image

from imagic_lora.conditioning import Conditioning, concatenate, interpolate
from imagic_lora.errors import SamplingError
from imagic_lora.images.pixels import to_images
from imagic_lora.memory import denoising, peak_bytes
from imagic_lora.models.base import LatentModel
from imagic_lora.progress import OnProgress, Ticker
from imagic_lora.seeding import generator, randn
from imagic_lora.settings import SamplingSettings

Predictor = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From x_t (B, C, h, w) and t (B,) to a prediction of the same shape as x_t."""


def guided(
    model: LatentModel,
    own: Conditioning,
    away: Conditioning,
    target: Conditioning,
    strength: float | torch.Tensor,
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
        strength: Any real number, or one for each row, shape (B,).
        release: Returns the share of what only `own` says that is let go of, from 0 to 1, shape
            (B, 1, h, w); called when a prediction is made. What `own` says may stand in the way: a
            target "in the snow" does not say that a caption's "at sunset" has to go.
    """
    weight = torch.as_tensor(strength, dtype=torch.float32, device=own.tokens.device)
    weight = weight.view(-1, 1, 1, 1)
    if not weight.any():
        return lambda x_t, t: model.predict(x_t, t, own.repeat(len(x_t)))
    if away is own:
        return lambda x_t, t: _blend(_predict_all(model, x_t, t, own, target), weight)

    def predict(x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        # Not all three in one batch: two are as many as a memory plan has counted.
        at_own = model.predict(x_t, t, own.repeat(len(x_t)))
        at_away, at_target = _predict_all(model, x_t, t, away, target)
        kept = torch.lerp(at_own, at_away, release()) if release else at_own
        return kept + weight * (at_target - at_away)

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


@dataclass(frozen=True)
class Start:
    """Where denoising begins.

    Attributes:
        latents: Latents of the inputs, shape (B, C, h, w), or of the canvas if they are not used.
        strength: Share of the noise levels that are run; 0 is the input untouched.
        seeds: Seed of each row's noise.
        pure: Whether a strength of 1 begins with noise alone, without a trace of the input.
    """

    latents: torch.Tensor
    strength: float
    seeds: tuple[int, ...]
    pure: bool = True

    def noise(self) -> torch.Tensor:
        """Return the noise, on the CPU; a row's is the same alone as in a batch."""
        shape = (1, *self.latents.shape[1:])
        return torch.cat([randn(shape, generator(seed, "sample noise")) for seed in self.seeds])


@torch.no_grad()
def denoise(
    model: LatentModel,
    scheduler: Any,
    predictor: Predictor,
    start: Start,
    steps: int,
    on_progress: OnProgress,
) -> torch.Tensor:
    """Run a scheduler's steps and return latents, shape (B, C, h, w), float32.

    Args:
        model: The model that the predictor asks.
        scheduler: A fresh diffusers scheduler.
        predictor: What is predicted at each step.
        start: Where to begin; its latents are on any device.
        steps: Steps of the whole schedule, of which the start's share is run.
        on_progress: Called after every step.

    Raises:
        SamplingError: When the latents are not finite, as half precision may make them.
    """
    device = model.plan.device
    with denoising(model, "sample") as work:
        scheduler.set_timesteps(steps, device=device)
        timesteps, x_t = _begin(scheduler, start, steps, device)
        extra = _step_options(scheduler, start.seeds)
        tick = Ticker("sample", len(timesteps), on_progress, partial(peak_bytes, device))
        for t in timesteps:
            scaled = scheduler.scale_model_input(x_t, t)
            predicted = work(partial(predictor, scaled, t.expand(len(scaled))))
            x_t = scheduler.step(predicted, t, x_t, return_dict=False, **extra)[0]
            tick()
    result: torch.Tensor = x_t.float()
    if not torch.isfinite(result).all():
        raise SamplingError(
            f"Denoising ended in values that are no numbers, with weights in {model.plan.dtype}; try "
            "bfloat16 or float32 weights, less guidance, or an adapter of this very model."
        )
    return result


def _begin(
    scheduler: Any, start: Start, steps: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the timesteps to run and the latents to begin with.

    The convention is diffusers' own for image-to-image, so that strengths mean the same there.
    """
    noise = start.noise().to(device)
    if start.strength >= 1 and start.pure:
        return scheduler.timesteps, noise * scheduler.init_noise_sigma
    skipped = steps - int(steps * start.strength)
    timesteps = scheduler.timesteps[skipped * scheduler.order :]
    latents = start.latents.to(device, torch.float32)
    if len(timesteps) == 0:
        return timesteps, latents
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(skipped * scheduler.order)
    return timesteps, scheduler.add_noise(latents, noise, timesteps[:1])


def _step_options(scheduler: Any, seeds: tuple[int, ...]) -> dict[str, Any]:
    """Return a generator for each row, for the schedulers that draw noise at every step."""
    if "generator" in inspect.signature(scheduler.step).parameters:
        return {"generator": [generator(seed, "step noise") for seed in seeds]}
    return {}


def draw(
    model: LatentModel,
    predictor: Predictor,
    start: Start,
    settings: SamplingSettings,
    on_progress: OnProgress,
) -> list[Image.Image]:
    """Denoise a batch, and decode one picture after another, which takes the least memory.

    Args:
        model: The model that the predictor asks.
        predictor: What is predicted at each step.
        start: Where to begin.
        settings: How to denoise.
        on_progress: Called after every step.

    Raises:
        SamplingError: When the latents become no numbers.
    """
    scheduler = model.scheduler(settings.scheduler)
    latents = denoise(model, scheduler, predictor, start, settings.steps, on_progress)
    return [to_images(model.decode(row))[0] for row in torch.split(latents, 1)]
