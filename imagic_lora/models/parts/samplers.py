"""Samplers by name, made from a model's own noise schedule for one run.

Whatever a scheduler file says or leaves out, they end at clean latents and clip nothing: clipping
and thresholds are made for pixels, and a last noise level above zero leaves its noise behind.
"""

import inspect
from importlib import import_module
from typing import Any

import numpy as np
import torch

from imagic_lora.errors import ModelError, SettingsError
from imagic_lora.models.base import Sampler
from imagic_lora.models.parts.steps import Deterministic, Multistep
from imagic_lora.objective import Diffusion, Flow, Objective
from imagic_lora.settings import SchedulerName

_CLASSES: dict[SchedulerName, str] = {
    "ddim": "DDIMScheduler",
    "dpm++": "DDIMScheduler",  # for its timesteps: the steps are ours
    "euler": "EulerDiscreteScheduler",
    "heun": "HeunDiscreteScheduler",
    "unipc": "UniPCMultistepScheduler",
}
_SCHEDULE = (
    "num_train_timesteps",
    "beta_start",
    "beta_end",
    "beta_schedule",
    "trained_betas",
    "prediction_type",
)
"""What makes a noise schedule, by diffusers' names: passed on even where a file leaves it out, since
diffusers would take another class's defaults then."""

_OF_FLOWS: tuple[SchedulerName, ...] = ("ddim", "dpm++", "euler", "model")
_CLEAN: dict[str, Any] = {
    "algorithm_type": "dpmsolver++",
    "clip_sample": False,
    "final_sigmas_type": "zero",
    "lower_order_final": True,
    "set_alpha_to_one": True,
    "thresholding": False,
}


def read_objective(own: Any) -> Diffusion:
    """Return the objective that a model's own scheduler was trained with.

    Raises:
        ModelError: When it has a noise schedule of another kind.
    """
    flow = bool(own.config.get("use_flow_sigmas", False))
    if flow or not isinstance(getattr(own, "alphas_cumprod", None), torch.Tensor):
        raise ModelError(
            f"The model's scheduler is a {type(own).__name__} with another kind of noise schedule "
            "than its family's; supported are those with alphas_cumprod, such as DDIMScheduler."
        )
    # A class that knows no schedule which ends in noise alone keeps the word for it, and no more.
    config = {**own.config, "_use_default_values": []}
    stated = _named("ddim").from_config(config) if _is_unheeded(own.config, type(own)) else own
    return Diffusion(stated.alphas_cumprod.float().clone(), own.config.prediction_type)


def _is_unheeded(config: Any, made: Any) -> bool:
    """Return whether a scheduler's file asks for zero terminal SNR, and a class knows no such."""
    known = inspect.signature(made.__init__).parameters
    asked = config.get("rescale_betas_zero_snr", False)
    return bool(asked) and "rescale_betas_zero_snr" not in known


def diffusion_sampler(
    name: SchedulerName, own: Any, objective: Diffusion, steps: int, device: torch.device
) -> Sampler:
    """Return a sampler for a model with a diffusion's schedule.

    Args:
        name: A name from the settings; "model" is the model's own.
        own: The scheduler that came with the model.
        objective: What was read from it.
        steps: Steps of the whole schedule.
        device: Where the work is done.

    Raises:
        SettingsError: When the model's own sampler cannot make so many steps.
    """
    steps = min(steps, len(objective.alphas_cumprod))
    scheduler = make_scheduler(name, own, steps)
    try:
        scheduler.set_timesteps(steps, device=device)
    except ValueError as error:
        reason = str(error).strip().partition("\n")[0]
        raise SettingsError(
            f"The sampler {name!r} of this model cannot make {steps} steps ({reason}); take fewer, "
            "or another sampler."
        ) from error
    if isinstance(scheduler, _named("ddim")):
        return _ours(name)(objective, scheduler.timesteps)
    return DiffusersSampler(objective, scheduler, steps)


def flow_sampler(
    name: SchedulerName, own: Any, steps: int, device: torch.device, mu: float | None = None
) -> Sampler:
    """Return a sampler for a model that follows a flow.

    Args:
        name: A name from the settings: "ddim" and "euler" are the same along straight lines, and
            "model" is the model's own, which shifts the times in any case.
        own: The FlowMatchEulerDiscreteScheduler that came with the model.
        steps: Steps of the whole schedule.
        device: Where the work is done.
        mu: How far times are shifted towards noise, where the model makes that depend on the
            canvas.

    Raises:
        SettingsError: When there is no such sampler for flows.
    """
    if name not in _OF_FLOWS:
        raise SettingsError(
            f"The sampler {name!r} was asked for, and this model follows a flow; allowed is one of "
            f"{', '.join(_OF_FLOWS)}."
        )
    scheduler = type(own).from_config(own.config)
    scheduler.set_timesteps(sigmas=np.linspace(1, 1 / steps, steps), device=device, mu=mu)
    return _ours(name)(Flow(), scheduler.sigmas[:-1])


def make_scheduler(name: SchedulerName, own: Any, steps: int) -> Any:
    """Return a fresh diffusers scheduler for as many steps.

    Args:
        name: A name from the settings; "model" is the model's own.
        own: The scheduler that came with the model.
        steps: Steps of the whole schedule, at most as many as it was trained with.
    """
    made = type(own) if name == "model" else _named(name)
    known = inspect.signature(made.__init__).parameters
    schedule = {name: own.config[name] for name in _SCHEDULE if name in own.config}
    changes = {**schedule, **_CLEAN, "timestep_spacing": _spacing(own.config, known, steps)}
    if _is_unheeded(own.config, made):
        changes["trained_betas"] = _rescaled_betas(read_objective(own).alphas_cumprod)
    return made.from_config(
        own.config, **{name: value for name, value in changes.items() if name in known}
    )


def _ours(name: SchedulerName) -> type[Deterministic]:
    """Return the sampler of ours that has a name."""
    return Multistep if name == "dpm++" else Deterministic


def _named(name: SchedulerName) -> Any:
    """Return the class of a sampler that has a name."""
    return getattr(import_module("diffusers"), _CLASSES[name])


def _spacing(config: Any, known: Any, steps: int) -> str:
    """Return how timesteps are spread, by diffusers' word for it: from the top, however few.

    "leading" begins further from noise the fewer steps there are, where large areas of the input
    are still there to be seen, and cannot be changed. For some numbers of steps, rounding makes
    "trailing" one too long.
    Source: Lin et al. 2023, arXiv 2305.08891, section 3.3.
    """
    timesteps = config.num_train_timesteps
    default = known["timestep_spacing"].default if "timestep_spacing" in known else "leading"
    spacing = config.get("timestep_spacing", default)
    too_long = len(np.arange(timesteps, 0, -timesteps / steps)) > steps
    return "linspace" if spacing == "linspace" or too_long else "trailing"


def _rescaled_betas(alphas_cumprod: torch.Tensor) -> list[float]:
    """Return the betas of a schedule that ends in noise alone, for a sampler that knows no such.

    The last one leaves as much of the signal as diffusers' samplers do that know it.
    """
    kept = alphas_cumprod.double().clamp(min=2**-24)
    ratios = torch.cat([kept[:1], kept[1:] / kept[:-1]])
    return [float(beta) for beta in 1 - ratios]


class DiffusersSampler:
    """A diffusers scheduler, its steps set.

    Args:
        objective: Noise schedule and prediction target.
        scheduler: The scheduler.
        steps: The steps that were set.
    """

    def __init__(self, objective: Objective, scheduler: Any, steps: int) -> None:
        self.times: torch.Tensor = scheduler.timesteps
        self._objective = objective
        self._scheduler = scheduler
        self._steps = steps
        # Those that count timesteps end at the first, and one that counts sigmas at its last.
        sigmas = getattr(scheduler, "sigmas", None)
        self._ends_in_noise = sigmas is None or bool(sigmas[-1] > 0)
        self._draws = "generator" in inspect.signature(scheduler.step).parameters

    def start(
        self, noise: torch.Tensor, latents: torch.Tensor | None, strength: float
    ) -> torch.Tensor:
        """Return the noise, or latents noised to the first time that is run."""
        scheduler = self._scheduler
        if latents is None:
            scaled: torch.Tensor = noise * scheduler.init_noise_sigma
            return scaled
        skipped = (self._steps - int(self._steps * strength)) * scheduler.order
        self.times = self.times[skipped:]
        if len(self.times) == 0:
            return latents
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(skipped)
        noised: torch.Tensor = scheduler.add_noise(latents, noise, self.times[:1])
        return noised

    def scaled(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return x_t at variance 1."""
        scaled: torch.Tensor = self._scheduler.scale_model_input(x_t, t)
        return scaled

    def step(
        self,
        predicted: torch.Tensor,
        t: torch.Tensor,
        x_t: torch.Tensor,
        generators: list[torch.Generator],
    ) -> torch.Tensor:
        """Return what the scheduler makes of the prediction; clean at the end."""
        if self._ends_in_noise and t == self.times[-1]:
            return self._objective.split(self.scaled(x_t, t), predicted, t.view(1))[0]
        extra = {"generator": generators} if self._draws else {}
        x: torch.Tensor = self._scheduler.step(predicted, t, x_t, return_dict=False, **extra)[0]
        return x
