"""How noise is mixed into an image, and what the denoiser is asked to predict.

Everything is read from the noise schedule that a model's own scheduler carries; there is no
constant of any particular model here, and no knowledge of which library the schedule came from.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch

from imagic_lora.errors import ModelError

Prediction = Literal["epsilon", "v_prediction", "sample"]


@dataclass(frozen=True, eq=False)
class Objective:
    """A noise schedule and the quantity that is predicted.

    Attributes:
        alphas_cumprod: Share of the signal's variance left at each timestep, shape (timesteps,),
            falling from near 1 to near 0.
        prediction: What the denoiser predicts.

    Raises:
        ModelError: When the prediction type is unknown.
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
    def timesteps(self) -> int:
        """Number of timesteps of the schedule."""
        return len(self.alphas_cumprod)

    def _levels(self, t: torch.Tensor, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return signal and noise levels at t, each of shape (B, 1, 1, 1)."""
        share = self.alphas_cumprod.to(like.device)[t.to(like.device)].to(like.dtype)
        share = share.view(-1, *[1] * (like.dim() - 1))
        return share.sqrt(), (1 - share).sqrt()

    def add_noise(self, x_0: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return x_t, the image noised to timestep t.

        Args:
            x_0: Clean latents, shape (B, C, h, w).
            noise: Standard normal noise of the same shape.
            t: Timesteps, shape (B,), integers from 0.

        Source: Ho et al. 2020, arXiv 2006.11239, equation 4.
        """
        signal, sigma = self._levels(t, x_0)
        return signal * x_0 + sigma * noise

    def target(self, x_0: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return what a perfect denoiser would predict for add_noise(x_0, noise, t).

        Args:
            x_0: Clean latents, shape (B, C, h, w).
            noise: Standard normal noise of the same shape.
            t: Timesteps, shape (B,), integers from 0.

        Source: for v, Salimans and Ho 2022, arXiv 2202.00512, appendix D.
        """
        if self.prediction == "epsilon":
            return noise
        if self.prediction == "sample":
            return x_0
        signal, sigma = self._levels(t, x_0)
        return signal * noise - sigma * x_0

    def sample_timesteps(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Return timesteps spread evenly over the schedule, one drawn from each of `count` strata.

        Stratified draws have the mean of uniform ones and much less variance from step to step.

        Args:
            count: How many, at least 1.
            generator: A CPU generator.

        Returns:
            Integers from 0 to timesteps - 1, shape (count,), in rising order.
        """
        offsets = torch.rand(count, generator=generator)
        positions = (torch.arange(count) + offsets) / count
        return (positions * self.timesteps).long().clamp_(max=self.timesteps - 1)
