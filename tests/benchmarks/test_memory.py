import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks import gpu, lever_quality, slowdown
from benchmarks.world.pipeline import MODEL
from imagic_lora import FitSettings
from imagic_lora.memory import MemoryPlan
from imagic_lora.memory.ladder import LADDER
from imagic_lora.models.blueprint import find_blueprint
from tests.support.tiny import Kind


def test_the_benchmark_for_a_gpu_runs_without_one(
    folder: Callable[[Kind], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every rung of the ladder, the whole UNet and every kernel are measured, at a tiny size."""
    gpu.main(["--models", str(folder("sd1")), "--steps", "1", "--side", "32"])

    text = capsys.readouterr().out
    found = json.loads(text[text.index("{\n") :])
    (model,) = found["models"].values()
    assert ["no lever", *(lever.name for lever in LADDER)] == list(model["ladder"])
    for row in model["ladder"].values():
        assert row["bytes_allocated"] > 0
        assert row["seconds_per_step"] > 0
        assert row["tflops_per_second"] > 0
        assert {"seconds_fit", "seconds_edit", "milliseconds_switch"} <= row["job"].keys()
    assert model["full_unet"]["seconds_per_step"] > 0
    assert {"auto", "sdpa"} == model["attention"].keys()
    assert found["ceiling_tflops_per_second"] > 0


def test_every_lever_that_takes_time_is_timed(folder: Callable[[Kind], Path]) -> None:
    """Side by side, round by round; a lever is held against the rung below it."""
    plan = MemoryPlan(torch.device("cpu"), torch.float32)

    found = slowdown.measure(find_blueprint(folder("sd1")), plan, 32, 1)

    rungs = ["no lever", "micro-batch", "checkpointing", "8-bit", "streaming"]
    assert [*rungs, slowdown.LAYOUT] == list(found["fit"])
    assert {"tiling", "streaming"} == slowdown.ratios(found["decode"]).keys()
    layout = {"": [4.0], "a": [8.0], slowdown.LAYOUT: [2.0]}
    assert {"a": 2.0, slowdown.LAYOUT: 0.5} == slowdown.ratios(layout)
    assert {"a": 1.5, "b": 2.0} == slowdown.ratios({"": [4, 2.0], "a": [3.0], "b": [6.0, 7.0]})


def test_what_a_lever_costs_is_measured_on_cases(tmp_path: Path) -> None:
    """A fit's loss, an edit's scores, and how near it is to the edit without the lever."""
    settings = FitSettings(steps=1, rank=1)
    records = [
        lever_quality.measure(name, 0, MODEL, tmp_path, settings)
        for name in ("float32", "streaming")
    ]

    found = {
        name: lever_quality.figures([record], {0: records[0]}, tmp_path)
        for name, record in zip(("float32", "streaming"), records, strict=True)
    }

    assert 60 == found["float32"]["psnr_to_float32"]
    assert found["streaming"]["psnr_to_float32"] > 40
    assert found["streaming"]["gap_difference"] < 0.01


def test_rounding_to_8_bit_floats_leaves_the_first_layer_alone() -> None:
    """Every other weight is near what it was, on a grid with one scale for each output channel."""
    layers = nn.ModuleDict({"conv_in": nn.Linear(8, 8), "inner": nn.Linear(8, 8)})
    before = {name: tensor.clone() for name, tensor in layers.state_dict().items()}

    lever_quality.round_to_float8(layers)

    after = layers.state_dict()
    assert torch.equal(before["conv_in.weight"], after["conv_in.weight"])
    error = (before["inner.weight"] - after["inner.weight"]).abs()
    assert 0 < error.max() <= before["inner.weight"].abs().max() / 16
