from collections.abc import Callable
from typing import Any

import diffusers
import pytest
import torch

from imagic_lora import ImagicEditor, ModelError
from imagic_lora.conditioning import Conditioning
from imagic_lora.fitting.loss import reconstruction_loss
from imagic_lora.models.parts.samplers import read_objective
from imagic_lora.objective import Diffusion, Flow, Prediction
from imagic_lora.seeding import generator, randn
from tests.support.tiny import KINDS, UNETS, Kind, build
from tests.support.transformers import velocity

SCHEDULES = [
    {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
    {"beta_schedule": "linear"},
    {"beta_schedule": "squaredcos_cap_v2", "num_train_timesteps": 400},
    {"beta_schedule": "scaled_linear", "rescale_betas_zero_snr": True},
]


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_noising_and_target_are_those_of_diffusers(
    prediction: str, schedule: dict[str, object]
) -> None:
    """For any schedule, x_t and the prediction target equal the diffusers scheduler's own."""
    scheduler = diffusers.DDIMScheduler(prediction_type=prediction, **schedule)
    objective, timesteps = read_objective(scheduler), len(scheduler.alphas_cumprod)
    x_0, noise = (randn((3, 4, 8, 8), generator(seed, "test")) for seed in (0, 1))
    t = torch.tensor([0, timesteps // 2, timesteps - 1])
    expected = {
        "epsilon": noise,
        "sample": x_0,
        "v_prediction": scheduler.get_velocity(x_0, noise, t),
    }

    torch.testing.assert_close(
        scheduler.add_noise(x_0, noise, t), objective.add_noise(x_0, noise, t)
    )
    torch.testing.assert_close(expected[prediction], objective.target(x_0, noise, t))


@pytest.mark.parametrize("kind", KINDS)
def test_loss_equals_the_one_computed_with_diffusers(
    kind: Kind, editor: Callable[[Kind], ImagicEditor]
) -> None:
    """For each family, the fit's loss is what diffusers' scheduler and UNet give (invariant 6)."""
    model = editor(kind).model
    channels = model.traits.latent_channels
    latents = randn((1, channels, 16, 16), generator(0, "latents"))
    noise = randn((2, channels, 16, 16), generator(1, "noise"))
    conditioning = model.encode_prompt("a cat")
    theirs = _loss_of_diffusion if kind in UNETS else _loss_of_flow
    t = model.objective.time(torch.tensor([0.01, 0.9]))

    with torch.no_grad():
        ours = reconstruction_loss(model, latents, conditioning, noise, t)
        expected = theirs(kind, model.denoiser, latents.expand(2, -1, -1, -1), noise, conditioning)

    torch.testing.assert_close(expected, ours)


def _loss_of_diffusion(
    kind: Kind, unet: Any, latents: torch.Tensor, noise: torch.Tensor, conditioning: Conditioning
) -> torch.Tensor:
    """Return the loss at noise levels 0.01 and 0.9 by diffusers alone."""
    t, scheduler = torch.tensor([10, 899]), build(kind).scheduler
    x_t = scheduler.add_noise(latents, noise, t)
    added = {"time_ids": torch.tensor([[32, 32, 0, 0, 32, 32]] * 2)}
    if conditioning.pooled is not None:
        added["text_embeds"] = conditioning.pooled.expand(2, -1)
    output = unet(x_t, t, conditioning.tokens.expand(2, -1, -1), added_cond_kwargs=added).sample
    target = scheduler.get_velocity(latents, noise, t) if kind == "sd2-v" else noise
    return torch.nn.functional.mse_loss(output, target)


def _loss_of_flow(
    kind: Kind,
    transformer: Any,
    latents: torch.Tensor,
    noise: torch.Tensor,
    conditioning: Conditioning,
) -> torch.Tensor:
    """Return the loss at noise levels 0.01 and 0.9 by diffusers alone."""
    del kind
    scheduler, t = diffusers.FlowMatchEulerDiscreteScheduler(), torch.tensor([0.01, 0.9])
    scheduler.set_timesteps(sigmas=[0.01, 0.9], timesteps=[10.0, 900.0])
    x_t = scheduler.scale_noise(latents, scheduler.timesteps, noise)
    both = conditioning.repeat(2)
    output = velocity(transformer, x_t, t, both.tokens, both.pooled)
    return torch.nn.functional.mse_loss(output, noise - latents)


def test_timesteps_are_stratified() -> None:
    """One timestep is drawn from each of as many equal parts of the schedule."""
    objective = Diffusion(torch.linspace(0.99, 0.01, 1000), "epsilon")

    drawn = objective.draw(8, generator(0, "test"))

    assert list(range(8)) == (drawn // 125).tolist()


def test_timesteps_stay_in_the_schedule() -> None:
    """Every drawn timestep exists, and the whole schedule is reached."""
    objective = Diffusion(torch.linspace(0.99, 0.01, 10), "epsilon")
    source = generator(0, "test")

    drawn = torch.cat([objective.draw(4, source) for _ in range(200)])

    assert set(range(10)) == set(drawn.tolist())


def test_unknown_prediction_type_is_refused() -> None:
    """The error names what was found and what is supported."""
    with pytest.raises(ModelError, match=r"'flow'.*epsilon, v_prediction, sample"):
        Diffusion(torch.linspace(0.99, 0.01, 10), "flow")  # type: ignore[arg-type]


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_a_true_prediction_is_split_into_what_was_mixed(prediction: Prediction) -> None:
    """Splitting undoes noising, at every noise level and whatever is predicted."""
    diffusion = Diffusion(torch.linspace(0.99, 0.01, 1000), prediction)
    x_0, noise = (randn((5, 4, 8, 8), generator(seed, "test")) for seed in (0, 1))

    for objective in (diffusion, Flow()):
        t = objective.time(torch.linspace(0.1, 0.9, 5))
        x_t, target = objective.add_noise(x_0, noise, t), objective.target(x_0, noise, t)
        clean, mixed_in = objective.split(x_t, target, t)
        torch.testing.assert_close(x_0, clean, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(noise, mixed_in, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_a_prediction_leads_to_the_image_that_is_asked_for(prediction: Prediction) -> None:
    """Whatever x_t is, what is to be predicted for an image says that x_t holds that image."""
    diffusion = Diffusion(torch.linspace(0.99, 0.01, 1000), prediction)
    x_t, image = (randn((5, 4, 8, 8), generator(seed, "test")) for seed in (0, 1))

    for objective in (diffusion, Flow()):
        t = objective.time(torch.linspace(0.1, 1, 5))
        found, _ = objective.split(x_t, objective.towards(x_t, image, t), t)
        torch.testing.assert_close(image, found, rtol=1e-3, atol=1e-4)


def test_a_flow_is_a_straight_line() -> None:
    """Image at level 0, noise at level 1, half of each between, and one velocity throughout."""
    x_0, noise = (randn((1, 4, 8, 8), generator(seed, "test")) for seed in (0, 1))
    flow, levels = Flow(), torch.tensor([0.0, 0.5, 1.0])
    ends = [flow.add_noise(x_0, noise, t.view(1)) for t in flow.time(levels)]

    torch.testing.assert_close(torch.cat([x_0, (x_0 + noise) / 2, noise]), torch.cat(ends))
    torch.testing.assert_close(noise - x_0, flow.target(x_0, noise, levels))


def test_times_of_a_flow_are_stratified() -> None:
    """One time is drawn from each of as many equal parts."""
    drawn = Flow().draw(8, generator(0, "test"))

    assert list(range(8)) == (drawn * 8).long().tolist()
