"""How noise is mixed into an image, and what the denoiser is asked to predict.

Everything is read from the noise schedule that a model's own scheduler carries; there is no
constant of any particular model here, and no knowledge of which library the schedule came from.
Elsewhere a place in a schedule is named by its noise level alone, and nobody indexes one.
"""

from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import torch

from imagic_lora.errors import ModelError

Prediction = Literal["epsilon", "v_prediction", "sample"]
"""What the denoiser of a diffusion may predict."""

OBJECTIVES: tuple[str, ...] = (*get_args(Prediction), "flow")
"""The names of all objectives, as records hold them."""


class Objective(Protocol):
    """A noise schedule and the quantity that is predicted. Times t are what `predict` takes."""

    @property
    def name(self) -> str:
        """What the denoiser predicts."""

    def time(self, level: torch.Tensor) -> torch.Tensor:
        """Return the times t of noise levels, from 0 (clean) to 1 (noise), of any shape."""

    def draw(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Return times spread evenly over the schedule, one drawn from each of `count` strata.

        Stratified draws have the mean of uniform ones and much less variance from step to step.

        Args:
            count: How many, at least 1.
            generator: A CPU generator.

        Returns:
            Times of shape (count,), in rising order.
        """

    def add_noise(self, x_0: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return x_t, the image noised to time t.

        Args:
            x_0: Clean latents, shape (B, C, h, w).
            noise: Standard normal noise of the same shape.
            t: Times, shape (B,) or (1,).
        """

    def target(self, x_0: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return what a perfect denoiser would predict for add_noise(x_0, noise, t)."""

    def split(
        self, x_t: torch.Tensor, predicted: torch.Tensor, t: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the x_0 and the noise of which a prediction says that x_t consists."""

    def towards(self, x_t: torch.Tensor, x_0: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return the prediction that says that x_t consists of x_0 and noise, whatever noise it is."""


@dataclass(frozen=True, eq=False)
class Diffusion:
    """A schedule of discrete timesteps, at which signal and noise add up to variance 1.

    Attributes:
        alphas_cumprod: Share of the signal's variance left at each timestep, shape (timesteps,),
            falling from near 1 to near 0.
        prediction: What the denoiser predicts.

    Raises:
        ModelError: When the prediction type is unknown.

    Source: Ho et al. 2020, arXiv 2006.11239, equation 4; for v, Salimans and Ho 2022, arXiv
    2202.00512, appendix D.
    """

    alphas_cumprod: torch.Tensor
    prediction: Prediction

    def __post_init__(self) -> None:
        if self.prediction not in get_args(Prediction):
            raise ModelError(
                f"The scheduler asks for the prediction type {self.prediction!r}; "
                f"supported are {', '.join(get_args(Prediction))}."
            )

    @property
    def name(self) -> str:
        """What the denoiser predicts."""
        return self.prediction

    def _levels(self, t: torch.Tensor, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return how much of x_t is signal and how much noise, each of shape (B, 1, 1, 1).

        Some samplers step between timesteps; the nearest one counts.
        """
        index = t.to(like.device).round().long()
        share = self.alphas_cumprod.to(like.device)[index].to(like.dtype)
        share = share.view(-1, *[1] * (like.dim() - 1))
        return share.sqrt(), (1 - share).sqrt()

    def time(self, level: torch.Tensor) -> torch.Tensor:
        """Return the timesteps of noise levels, integers from 0."""
        return (level * (len(self.alphas_cumprod) - 1)).round().long()

    def draw(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Return timesteps, one from each of `count` equal parts of the schedule."""
        timesteps = len(self.alphas_cumprod)
        return (_stratified(count, generator) * timesteps).long().clamp_(max=timesteps - 1)

    def add_noise(self, x_0: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return x_t, the image noised to timestep t."""
        signal, sigma = self._levels(t, x_0)
        return signal * x_0 + sigma * noise

    def target(self, x_0: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return the noise, the image, or v."""
        if self.prediction == "epsilon":
            return noise
        if self.prediction == "sample":
            return x_0
        signal, sigma = self._levels(t, x_0)
        return signal * noise - sigma * x_0

    def split(
        self, x_t: torch.Tensor, predicted: torch.Tensor, t: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the x_0 and the noise that a prediction at x_t amounts to."""
        signal, sigma = self._levels(t, x_t)
        if self.prediction == "epsilon":
            return (x_t - sigma * predicted) / signal, predicted
        if self.prediction == "sample":
            return predicted, (x_t - signal * predicted) / sigma
        return signal * x_t - sigma * predicted, signal * predicted + sigma * x_t

    def towards(self, x_t: torch.Tensor, x_0: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return what is predicted at x_t where it is x_0 in noise."""
        signal, sigma = self._levels(t, x_t)
        return self.target(x_0, (x_t - signal * x_0) / sigma, t)


@dataclass(frozen=True)
class Flow:
    """A straight line from the image at t = 0 to the noise at t = 1; its velocity is predicted.

    Source: Liu et al. 2022, arXiv 2209.03003, equation 1; Lipman et al. 2022, arXiv 2210.02747.
    """

    @property
    def name(self) -> str:
        """What the denoiser predicts."""
        return "flow"

    def time(self, level: torch.Tensor) -> torch.Tensor:
        """Return the times of noise levels: they are the same."""
        return level

    def draw(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Return times from 0 to 1, one from each of `count` equal parts."""
        return _stratified(count, generator)

    def add_noise(self, x_0: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return (1 - t) x_0 + t noise."""
        return torch.lerp(x_0, noise, _beside(x_0, t))

    def target(self, x_0: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return noise - x_0, the same at every time."""
        del t
        return noise - x_0

    def split(
        self, x_t: torch.Tensor, predicted: torch.Tensor, t: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return both ends of the line through x_t."""
        time = _beside(x_t, t)
        return x_t - time * predicted, x_t + (1 - time) * predicted

    def towards(self, x_t: torch.Tensor, x_0: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return the velocity that leads from x_0 to x_t."""
        return (x_t - x_0) / _beside(x_t, t)


def _stratified(count: int, generator: torch.Generator) -> torch.Tensor:
    """Return a number from each of `count` equal parts of 0 to 1."""
    return (torch.arange(count) + torch.rand(count, generator=generator)) / count


def _beside(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """Return times in a shape that is multiplied with a batch."""
    return t.to(x.device, x.dtype).view(-1, *[1] * (x.dim() - 1))
