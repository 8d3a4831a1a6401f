"""From noise, or from a noised input, to latents and pictures: the denoising loop.

It knows neither prompts nor adapters: what is predicted is a function that it is given.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch

from imagic_lora.editing.guidance import Predictor
from imagic_lora.errors import SamplingError, warn
from imagic_lora.memory import denoising, peak_bytes
from imagic_lora.models.base import LatentModel, Sampler
from imagic_lora.progress import OnProgress, Ticker
from imagic_lora.seeding import generator, randn
from imagic_lora.settings import SamplingSettings

_MOST = 50.0
"""Size of latents, as a multiple of their input's, above which they are no picture any more."""


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

    def noises(self) -> Iterator[torch.Tensor]:
        """Yield noises on the CPU without end; a row's are the same alone as in a batch."""
        shape = (1, *self.latents.shape[1:])
        generators = [generator(seed, "sample noise") for seed in self.seeds]
        while True:
            yield torch.cat([randn(shape, each) for each in generators])

    def noise(self) -> torch.Tensor:
        """Return the first of them, with which denoising begins."""
        return next(self.noises())

    def begin(self, sampler: Sampler, device: torch.device) -> torch.Tensor:
        """Return x_t to begin with, on the device."""
        noise = self.noise().to(device)
        if self.pure and self.strength >= 1:
            return sampler.start(noise, None, 1.0)
        return sampler.start(noise, self.latents.to(device, torch.float32), self.strength)


@torch.no_grad()
def denoise(
    model: LatentModel,
    sampler: Sampler,
    predictor: Predictor,
    start: Start,
    on_progress: OnProgress,
) -> torch.Tensor:
    """Run a sampler's steps and return latents, shape (B, C, h, w), float32.

    Args:
        model: The model that the predictor asks.
        sampler: A fresh sampler of the model.
        predictor: What is predicted at each step.
        start: Where to begin; its latents are on any device.
        on_progress: Called after every step.

    Raises:
        SamplingError: When the latents are not finite, as half precision may make them.
    """
    device = model.plan.device
    generators = [generator(seed, "step noise") for seed in start.seeds]
    with denoising(model, "sample") as work:
        x_t = start.begin(sampler, device)
        tick = Ticker("sample", len(sampler.times), on_progress, partial(peak_bytes, device))
        for t in sampler.times:
            scaled = sampler.scaled(x_t, t)
            predicted = work(partial(predictor, scaled, t.expand(len(scaled))))
            x_t = sampler.step(predicted, t, x_t, generators)
            tick()
    latents = x_t.float()
    if not torch.isfinite(latents).all():
        raise SamplingError(
            f"Denoising ended in values that are no numbers, with weights in {model.plan.dtype}; try "
            "bfloat16 or float32 weights, less guidance, or an adapter of this very model."
        )
    _remark(latents, start.latents)
    return latents


def times(model: LatentModel, settings: SamplingSettings, start: Start) -> list[float]:
    """Return the times of the steps that are made from a start.

    Args:
        model: The model.
        settings: How to denoise.
        start: Where to begin.
    """
    sampler = model.sampler(settings.scheduler, settings.steps, tuple(start.latents.shape))
    start.begin(sampler, torch.device("cpu"))
    found: list[float] = sampler.times.tolist()
    return found


def _remark(latents: torch.Tensor, inputs: torch.Tensor) -> None:
    """Warn of latents that are out of all proportion, which decode to colours without a picture.

    The largest row counts, measured as its root mean square beside that of the inputs, or beside 1,
    to which autoencoders scale what they make of pictures.
    """

    def size(rows: torch.Tensor) -> float:
        return float(rows.double().flatten(1).square().mean(1).sqrt().max())

    found = size(latents) / max(1.0, size(inputs))
    if found > _MOST:
        warn(
            f"The latents came out {found:.3g} times as large as those of the input, which no picture "
            "has; take an alpha nearer to 1, or less guidance."
        )


def sample(
    model: LatentModel,
    predictor: Predictor,
    start: Start,
    settings: SamplingSettings,
    on_progress: OnProgress,
) -> torch.Tensor:
    """Denoise a batch by the sampler of some settings; return latents, shape (B, C, h, w), float32.

    Args:
        model: The model that the predictor asks.
        predictor: What is predicted at each step.
        start: Where to begin.
        settings: How to denoise.
        on_progress: Called after every step.

    Raises:
        SamplingError: When the latents become no numbers.
    """
    sampler = model.sampler(settings.scheduler, settings.steps, tuple(start.latents.shape))
    return denoise(model, sampler, predictor, start, on_progress)
