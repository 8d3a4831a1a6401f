"""Samplers of our own, which serve diffusions and flows alike: they know objectives and times alone."""

import torch

from imagic_lora.objective import Objective


class Deterministic:
    """The deterministic sampler of any objective: DDIM's, which is Euler's where that is a flow.

    Source: Song et al. 2020, arXiv 2010.02502, equation 12, with sigma 0.

    Args:
        objective: Noise schedule and prediction target.
        times: The times that are run, falling, shape (steps,).
    """

    def __init__(self, objective: Objective, times: torch.Tensor) -> None:
        self.times = times
        self._objective = objective
        self._done = 0

    def start(
        self, noise: torch.Tensor, latents: torch.Tensor | None, strength: float
    ) -> torch.Tensor:
        """Return the noise, or latents noised to the first time that is run."""
        if latents is None:
            return noise
        self.times = self.times[len(self.times) - int(len(self.times) * strength) :]
        if len(self.times) == 0:
            return latents
        return self._objective.add_noise(latents, noise, self.times[:1])

    def scaled(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return x_t as it is."""
        del t
        return x_t

    def step(
        self,
        predicted: torch.Tensor,
        t: torch.Tensor,
        x_t: torch.Tensor,
        generators: list[torch.Generator],
    ) -> torch.Tensor:
        """Return what the prediction says of x_t, mixed as at the next time; clean at the end."""
        del generators
        x_0, noise = self._objective.split(x_t, predicted, t.view(1))
        self._done += 1
        if self._done == len(self.times):
            return x_0
        return self._onward(x_t, x_0, noise, t, self.times[self._done])

    def _onward(
        self,
        x_t: torch.Tensor,
        x_0: torch.Tensor,
        noise: torch.Tensor,
        t: torch.Tensor,
        following: torch.Tensor,
    ) -> torch.Tensor:
        """Return x at the following time, from x_t and what the prediction says it consists of."""
        del x_t, t
        return self._objective.add_noise(x_0, noise, following.view(1))


class Multistep(Deterministic):
    """The same in steps of second order, of which far fewer do: DPM-Solver++(2M).

    Where predictions agree on the clean picture, as at alpha 0, it ends there exactly.

    Source: Lu et al. 2022, arXiv 2211.01095, algorithm 2.
    """

    def __init__(self, objective: Objective, times: torch.Tensor) -> None:
        super().__init__(objective, times)
        self._before: tuple[torch.Tensor, torch.Tensor] | None = None

    def _onward(
        self,
        x_t: torch.Tensor,
        x_0: torch.Tensor,
        noise: torch.Tensor,
        t: torch.Tensor,
        following: torch.Tensor,
    ) -> torch.Tensor:
        """Return x at the following time, from this prediction and the one before."""
        del noise
        sigma, rise = self._noise(t, x_t), self._ratio(t, x_t)
        step = self._ratio(following, x_t) - rise
        aim = x_0
        if self._before is not None:
            last, reached = self._before
            aim = x_0 + step / (2 * (rise - reached)) * (x_0 - last)
        self._before = (x_0, rise)
        kept = self._noise(following, x_t) / sigma
        return kept * x_t - self._signal(following, x_t) * torch.expm1(-step) * aim

    def _signal(self, t: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """Return how much of x_t is signal."""
        one = like.new_ones(1, 1, 1, 1)
        return self._objective.add_noise(one, torch.zeros_like(one), t.view(1))

    def _noise(self, t: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """Return how much of x_t is noise."""
        one = like.new_ones(1, 1, 1, 1)
        return self._objective.add_noise(torch.zeros_like(one), one, t.view(1))

    def _ratio(self, t: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """Return the logarithm of signal over noise; minus infinity where there is no signal."""
        return self._signal(t, like).log() - self._noise(t, like).log()
