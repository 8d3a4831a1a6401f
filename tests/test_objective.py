from collections.abc import Callable

import diffusers
import pytest
import torch

from imagic_lora import ImagicEditor, ModelError
from imagic_lora.fitting.loss import reconstruction_loss
from imagic_lora.models.parts.samplers import read_objective
from imagic_lora.objective import Objective
from imagic_lora.seeding import generator, randn
from tests.support.tiny import KINDS, Kind

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
    objective = read_objective(scheduler)
    x_0, noise = (randn((3, 4, 8, 8), generator(seed, "test")) for seed in (0, 1))
    t = torch.tensor([0, objective.timesteps // 2, objective.timesteps - 1])
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
    latents = randn((1, 4, 16, 16), generator(0, "latents"))
    noise = randn((2, 4, 16, 16), generator(1, "noise"))
    t = torch.tensor([10, 900])
    conditioning = model.encode_prompt("a cat")
    scheduler = model.scheduler("ddim")

    x_t = scheduler.add_noise(latents.expand(2, -1, -1, -1), noise, t)
    added = {"time_ids": torch.tensor([[32, 32, 0, 0, 32, 32]] * 2)}
    if conditioning.pooled is not None:
        added["text_embeds"] = conditioning.pooled.expand(2, -1)
    with torch.no_grad():
        output = model.denoiser(
            x_t, t, conditioning.tokens.expand(2, -1, -1), added_cond_kwargs=added
        ).sample
        ours = reconstruction_loss(model, latents, conditioning, noise, t)
    velocity = scheduler.get_velocity(latents.expand(2, -1, -1, -1), noise, t)
    target = velocity if kind == "sd2-v" else noise

    torch.testing.assert_close(torch.nn.functional.mse_loss(output, target), ours)


def test_timesteps_are_stratified() -> None:
    """One timestep is drawn from each of as many equal parts of the schedule."""
    objective = Objective(torch.linspace(0.99, 0.01, 1000), "epsilon")

    drawn = objective.sample_timesteps(8, generator(0, "test"))

    assert list(range(8)) == (drawn // 125).tolist()


def test_timesteps_stay_in_the_schedule() -> None:
    """Every drawn timestep exists, and the whole schedule is reached."""
    objective = Objective(torch.linspace(0.99, 0.01, 10), "epsilon")
    source = generator(0, "test")

    drawn = torch.cat([objective.sample_timesteps(4, source) for _ in range(200)])

    assert set(range(10)) == set(drawn.tolist())


def test_unknown_prediction_type_is_refused() -> None:
    """The error names what was found and what is supported."""
    with pytest.raises(ModelError, match=r"'flow'.*epsilon, v_prediction, sample"):
        Objective(torch.linspace(0.99, 0.01, 10), "flow")  # type: ignore[arg-type]
