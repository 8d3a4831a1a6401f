"""Whatever a scheduler file says or leaves out, every sampler ends at clean latents."""

import importlib.util
import inspect
from collections.abc import Callable
from typing import Any, get_args

import diffusers
import pytest
import torch

from imagic_lora import ModelError, SettingsError
from imagic_lora.editing import sampling
from imagic_lora.editing.trajectory import Trajectory
from imagic_lora.memory import MemoryPlan
from imagic_lora.models.families import FAMILIES
from imagic_lora.models.parts.samplers import diffusion_sampler, flow_sampler, read_objective
from imagic_lora.models.stable_diffusion import StableDiffusion
from imagic_lora.progress import ignore
from imagic_lora.seeding import generator, randn
from imagic_lora.settings import SchedulerName
from tests.support.tiny import build

SHAPE = (1, 4, 16, 16)
NAMES = [name for name in get_args(SchedulerName) if name != "model"]
FILES: dict[str, Any] = {
    "plain DDIM": diffusers.DDIMScheduler(),
    "plain DPM++": diffusers.DPMSolverMultistepScheduler(),
    "plain Euler": diffusers.EulerDiscreteScheduler(),
    "plain LCM": diffusers.LCMScheduler(),
    "plain PNDM": diffusers.PNDMScheduler(),
    "plain UniPC": diffusers.UniPCMultistepScheduler(),
    "SD 1.5's": diffusers.PNDMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        set_alpha_to_one=False,
        skip_prk_steps=True,
        steps_offset=1,
    ),
    "trailing": diffusers.DDIMScheduler(
        timestep_spacing="trailing", set_alpha_to_one=False, thresholding=True
    ),
    "zero terminal SNR": diffusers.DDIMScheduler(
        timestep_spacing="trailing",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        set_alpha_to_one=False,
    ),
    "last sigma kept": diffusers.EulerDiscreteScheduler(final_sigmas_type="sigma_min"),
}


@pytest.fixture(scope="module")
def with_file() -> Callable[[Any], StableDiffusion]:
    """Give a model whose own scheduler is another."""
    pipeline = build("sd1")

    def model(scheduler: Any) -> StableDiffusion:
        pipeline.scheduler = scheduler
        return StableDiffusion(pipeline, "tiny", MemoryPlan.automatic("cpu"))

    return model


def kept(model: StableDiffusion, name: SchedulerName, steps: int, strength: float = 1.0) -> float:
    """Return how far from the input a run ends whose predictions are perfect throughout."""
    latents = 3 * randn(SHAPE, generator(0, "input"))  # beyond what clipping would leave
    start = sampling.Start(latents, strength, (0,), pure=False)
    known = Trajectory(model.objective, latents, lambda _: start.noise())
    sampler = model.sampler(name, steps, SHAPE)

    found = sampling.denoise(model, sampler, lambda _, t: known.prediction(t), start, ignore)

    return float((found - latents).abs().max())


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("steps", [7, 30])
def test_the_input_is_kept(
    file: str, name: SchedulerName, steps: int, with_file: Callable[[Any], StableDiffusion]
) -> None:
    """A perfect reconstruction ends in the input: no noise is left and nothing is clipped."""
    assert kept(with_file(FILES[file]), name, steps) < 0.02


@pytest.mark.parametrize("spacing", ["leading", "linspace", "trailing"])
@pytest.mark.parametrize("name", get_args(SchedulerName))
@pytest.mark.parametrize("steps", [61, 501, 999, 1000])
def test_any_number_of_steps_can_be_made(
    name: SchedulerName, spacing: str, steps: int, with_file: Callable[[Any], StableDiffusion]
) -> None:
    """Up to as many as there are timesteps, each sampler begins near noise and ends clean."""
    scheduler = diffusers.DDIMScheduler(
        beta_schedule="scaled_linear", steps_offset=1, timestep_spacing=spacing
    )
    model = with_file(scheduler)

    times = model.sampler(name, steps, SHAPE).times

    assert 900 < times[0] <= 999
    assert 0 <= times.min()
    assert kept(model, name, steps, strength=0.1) < 0.02


def test_too_many_steps_for_a_models_own_sampler_are_refused(
    with_file: Callable[[Any], StableDiffusion],
) -> None:
    """A sampler that was distilled to few steps says so in one sentence."""
    model = with_file(diffusers.LCMScheduler())

    with pytest.raises(SettingsError, match=r"'model'.*cannot make 80 steps"):
        model.sampler("model", 80, SHAPE)


@pytest.mark.parametrize(
    "scheduler",
    [
        diffusers.EDMEulerScheduler(),
        diffusers.FlowMatchEulerDiscreteScheduler(),
        diffusers.IPNDMScheduler(),
        diffusers.UniPCMultistepScheduler(use_flow_sigmas=True, prediction_type="flow_prediction"),
    ],
    ids=lambda scheduler: type(scheduler).__name__,
)
def test_a_schedule_of_another_kind_is_refused(scheduler: Any) -> None:
    """The error names the scheduler and what is supported."""
    with pytest.raises(ModelError, match=f"{type(scheduler).__name__}.*alphas_cumprod"):
        read_objective(scheduler)


def test_a_step_is_diffusers_own(with_file: Callable[[Any], StableDiffusion]) -> None:
    """Our deterministic sampler is diffusers' DDIM, bit for bit."""
    theirs = diffusers.DDIMScheduler(
        beta_schedule="scaled_linear", clip_sample=False, timestep_spacing="trailing"
    )
    model = with_file(theirs)
    theirs.set_timesteps(10)
    sampler = model.sampler("ddim", 10, SHAPE)
    x_t, predicted = (randn(SHAPE, generator(seed, "test")) for seed in (0, 1))

    for t in theirs.timesteps:
        expected = theirs.step(predicted, t, x_t).prev_sample
        assert torch.equal(expected, sampler.step(predicted, t, x_t, []))


@pytest.mark.parametrize("steps", [8, 20])
def test_steps_of_second_order_are_diffusers_own(
    steps: int, with_file: Callable[[Any], StableDiffusion]
) -> None:
    """Ours, which serve flows too, are those of diffusers' DPM-Solver++ at the same timesteps."""
    theirs = diffusers.DPMSolverMultistepScheduler(
        beta_schedule="scaled_linear", timestep_spacing="trailing", final_sigmas_type="zero"
    )
    model = with_file(diffusers.DDIMScheduler(beta_schedule="scaled_linear"))
    theirs.set_timesteps(steps)
    sampler = model.sampler("dpm++", steps, SHAPE)
    expected = found = randn(SHAPE, generator(0, "test"))

    for number, t in enumerate(theirs.timesteps):
        predicted = randn(SHAPE, generator(number, "prediction"))
        expected = theirs.step(predicted, t, expected).prev_sample
        found = sampler.step(predicted, sampler.times[number], found, [])

    assert theirs.timesteps.tolist() == sampler.times.tolist()
    assert torch.allclose(expected, found, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["ddim", "dpm++", "euler"])
@pytest.mark.parametrize("steps", [1, 2, 9])
def test_a_flow_ends_at_the_input(name: SchedulerName, steps: int) -> None:
    """Along a straight line every step is exact, however few there are."""
    own = diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0)
    sampler = flow_sampler(name, own, steps, torch.device("cpu"))
    latents, noise = (randn(SHAPE, generator(seed, "test")) for seed in (0, 1))
    x_t = sampler.start(noise, latents, 1.0)

    for t in sampler.times:
        x_t = sampler.step(noise - latents, t, x_t, [])

    assert torch.allclose(latents, x_t, atol=1e-5)


CLASSES = [
    name.removeprefix("diffusers.")
    for name in FAMILIES["sd"].plain["scheduler"]
    if "LMS" not in name or importlib.util.find_spec("scipy")
]
SCHEDULES: dict[str, dict[str, Any]] = {
    "epsilon": {"prediction_type": "epsilon"},
    "v": {"prediction_type": "v_prediction"},
    "zero SNR": {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True},
}


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("scheduler", CLASSES)
def test_every_sampler_of_every_scheduler_obeys_its_schedule(scheduler: str, schedule: str) -> None:
    """Perfect predictions for the file's own schedule lead to the input, by every sampler.

    That holds too where a class keeps the word of zero terminal SNR without knowing it.
    """
    changes = {"beta_schedule": "scaled_linear", "steps_offset": 1, **SCHEDULES[schedule]}
    own = getattr(diffusers, scheduler).from_config(changes)
    objective = read_objective(own)
    latents, noise = (3 * randn((1, 4, 2, 2), generator(seed, "test")) for seed in (0, 1))

    for name in get_args(SchedulerName):
        sampler = diffusion_sampler(name, own, objective, 5, torch.device("cpu"))
        x = sampler.start(noise, latents, 1.0)
        for t in sampler.times:
            seen = sampler.scaled(x, t)
            signal, sigma = level(objective.alphas_cumprod, t)
            drawn = (seen - signal * latents) / sigma
            v = signal * drawn - sigma * latents
            predicted = drawn if schedule == "epsilon" else v
            x = sampler.step(predicted, t, x, [generator(2, "step")])

        assert float((x - latents).abs().max()) < 0.02, name
    left = float(objective.alphas_cumprod[-1])
    assert (schedule == "zero SNR") == (left < 1e-6)


@pytest.mark.parametrize("schedule", ["epsilon", "v"])
@pytest.mark.parametrize("scheduler", CLASSES)
def test_a_models_own_sampler_is_diffusers_own(scheduler: str, schedule: str) -> None:
    """Its steps are those of plain diffusers, up to the last, after which that may leave noise."""
    changes = {
        "beta_schedule": "scaled_linear",
        "clip_sample": False,
        "timestep_spacing": "trailing",
        **SCHEDULES[schedule],
    }
    theirs = getattr(diffusers, scheduler).from_config(changes)
    sampler = diffusion_sampler("model", theirs, read_objective(theirs), 5, torch.device("cpu"))
    theirs.set_timesteps(5)
    draws = "generator" in inspect.signature(theirs.step).parameters
    extra = {"generator": generator(2, "step")} if draws else {}
    ours = generator(2, "step")
    expected = found = randn((1, 4, 2, 2), generator(0, "x")) * theirs.init_noise_sigma

    for number, t in enumerate(theirs.timesteps[:-1]):
        predicted = randn((1, 4, 2, 2), generator(number, "prediction"))
        for each in (theirs.scale_model_input, sampler.scaled):
            each(found, t)  # some note the step in it
        expected = theirs.step(predicted, t, expected, **extra).prev_sample
        found = sampler.step(predicted, t, found, [ours])

    assert theirs.timesteps.tolist() == sampler.times.tolist()
    torch.testing.assert_close(expected, found, rtol=1e-4, atol=1e-4)


def level(alphas_cumprod: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the shares of signal and of noise at a time."""
    share = alphas_cumprod[int(t.round())]
    return share.sqrt(), (1 - share).sqrt().clamp(min=1e-6)
