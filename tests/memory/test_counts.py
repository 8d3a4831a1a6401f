import subprocess
import sys

import pytest
import torch

from imagic_lora.memory import MemoryPlan, footprints
from imagic_lora.memory.ladder import LADDER, PHASES
from imagic_lora.models.blueprint import BLUEPRINTS
from imagic_lora.planning.counted import count

GIB = 2**30
PLAN = MemoryPlan(torch.device("cpu"), torch.bfloat16)
RUNGS = {lever.name: rung for rung, lever in enumerate(LADDER, 1)}
LIMITS = {
    ("sd15", "checkpointing"): 1.85,
    ("sd15", "8-bit"): 0.95,
    ("sd15", "streaming"): 0.45,
    ("sd21", "8-bit"): 1.25,
    ("sdxl", "checkpointing"): 5.4,
    ("sdxl", "8-bit"): 2.9,
    ("sdxl", "streaming"): 1.2,
}
"""The most that a fit may take, in GiB, by model and highest lever pulled."""

JOBS = {
    ("sd35m", "checkpointing"): 5.4,
    ("sd35m", "8-bit"): 3.2,
    ("sd35m", "streaming"): 1.0,
    ("klein4b", "8-bit"): 5.7,
    ("klein4b", "streaming"): 2.3,
    ("klein9b", "streaming"): 4.0,
    ("zimage", "8-bit"): 8.4,
    ("zimage", "streaming"): 3.2,
}
"""The most that a whole job may take, text encoders of several billion weights included."""


@pytest.mark.parametrize(("model", "lever"), LIMITS)
def test_a_fit_stays_below_its_limit(model: str, lever: str) -> None:
    """The table that plans are made from holds no more than the limits, and no phase tops the fit.

    Before the levers that shrink the other phases are pulled, those may be larger.
    """
    counted = footprints()[model].counted
    rung = RUNGS[lever]

    assert counted["fit"][rung] <= LIMITS[model, lever] * GIB
    assert all(counted[phase][rung] <= counted["fit"][rung] for phase in PHASES)


@pytest.mark.parametrize(("model", "lever"), JOBS)
def test_a_job_stays_below_its_limit(model: str, lever: str) -> None:
    """No phase of a flow's work tops what its card has, not even that in which prompts are read."""
    counted = footprints()[model].counted

    assert max(counted[phase][RUNGS[lever]] for phase in PHASES) <= JOBS[model, lever] * GIB


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "limit"),
    [
        ("sd15", LIMITS["sd15", "8-bit"]),
        ("sdxl", LIMITS["sdxl", "8-bit"]),
        ("klein4b", JOBS["klein4b", "8-bit"]),
    ],
)
def test_a_fit_of_8_bit_weights_counted_now_stays_below_its_limit(model: str, limit: float) -> None:
    """The real step of the real model, at its true size: a lost lever shows at once."""
    plan = PLAN.climb(LADDER[: RUNGS["8-bit"]])

    found = count(BLUEPRINTS[model], plan, ("fit",))["fit"]

    assert found <= limit * GIB
    assert found == pytest.approx(footprints()[model].counted["fit"][RUNGS["8-bit"]], rel=0.01)


@pytest.mark.slow
def test_a_streamed_text_encoder_counted_now_is_as_in_the_table() -> None:
    """Of a text encoder of billions of weights a layer at a time is on the device."""
    rung = RUNGS["text streaming"]

    found = count(BLUEPRINTS["sd35m"], PLAN.climb(LADDER[:rung]), ("text encode",))["text encode"]

    counted = footprints()["sd35m"].counted["text encode"]
    assert found == pytest.approx(counted[rung], rel=0.01)
    assert found < counted[rung - 1] / 10


@pytest.mark.parametrize("model", ["sd15", pytest.param("sdxl", marks=pytest.mark.slow)])
def test_decoding_in_tiles_counted_now_is_as_in_the_table(model: str) -> None:
    """Tiles are smaller than the canvas, so that tiling saves what it says."""
    rung = RUNGS["tiling"]

    found = count(BLUEPRINTS[model], PLAN.climb(LADDER[:rung]), ("decode",))["decode"]

    counted = footprints()[model].counted["decode"]
    assert found == pytest.approx(counted[rung], rel=0.01)
    assert found < counted[rung - 1] / 2


@pytest.mark.slow
def test_counting_leaves_nothing_pretended_behind() -> None:
    """What is first imported for a count is as whole as ever: no tensor in it lacks its data."""
    program = """
import gc, torch
from imagic_lora.planning.forecast import forecast
forecast("demo", "8GB")
gc.collect()
found = [o for o in gc.get_objects() if issubclass(type(o), torch.Tensor)]
print(any(type(o).__name__ == "FakeTensor" or o.is_meta for o in found))
"""

    done = subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.PIPE)

    assert b"False" == done.stdout.split()[-1]
