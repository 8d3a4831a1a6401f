import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from benchmarks import gpu, slowdown
from imagic_lora.memory import MemoryPlan
from imagic_lora.memory.ladder import LADDER, PHASES
from imagic_lora.models.blueprint import find_blueprint
from tests.support.tiny import Kind


# An untrained model makes anything of latents.
@pytest.mark.filterwarnings("ignore:The latents came out:imagic_lora.ImagicWarning")
@pytest.mark.parametrize("kind", ["sd1", "flux2"])
def test_the_benchmark_for_a_gpu_runs_without_one(
    folder: Callable[[Kind], Path], kind: Kind, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every rung of the ladder, the whole denoiser and every kernel are measured, at a tiny size."""
    gpu.main(["--models", str(folder(kind)), "--steps", "1"])

    text = capsys.readouterr().out
    start = text.index('{\n  "memory"')
    memory, end = json.JSONDecoder().raw_decode(text[start:])
    (needed,) = memory["memory"]["models"].values()
    rungs = ["no lever", *(lever.name for lever in LADDER)]
    assert rungs == list(needed["phases"])
    for phases in (*needed["phases"].values(), needed["capped"]["8 GB"]["phases"]):
        assert {*PHASES} == phases.keys()
        assert all(row["bytes_allocated"] > 0 for row in phases.values())
    text = text[start + end :]
    time = json.loads(text[text.index('{\n  "time"') :])["time"]
    (taken,) = time["models"].values()
    assert rungs == list(taken["ladder"])
    for row in taken["ladder"].values():
        assert row["tflops_per_second"] > 0
        assert {"seconds_fit", "seconds_edit", "milliseconds_switch"} <= row["job"].keys()
    assert taken["whole_denoiser"]["seconds_per_step"] > 0
    assert {"auto", "sdpa"} == taken["attention"].keys()
    assert all(row["seconds_per_step"] > 0 for row in taken["attention"].values())
    assert time["ceiling_tflops_per_second"] > 0


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
