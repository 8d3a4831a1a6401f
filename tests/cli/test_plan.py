import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagic_lora.memory.ladder import PHASES
from imagic_lora.planning.forecast import forecast
from tests.support.command import Command, runner
from tests.support.tiny import Kind


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """Give a function that runs the command line."""
    return runner(capsys)


def test_a_plan_is_a_table_of_the_phases(run: Command) -> None:
    """Each phase has a line: what it needs, how much slower it gets, and by which levers."""
    done = run("plan", "--model", "sdxl", "--memory", "6GB")

    head, *lines = done.out.splitlines()
    assert 0 == done.code
    assert ["phase", "needs", "slower", "levers"] == head.split()
    assert list(PHASES) == [line.split("  ")[0] for line in lines]
    assert "checkpointing, 8-bit" in lines[PHASES.index("fit")]


def test_a_plan_for_programs_has_every_phase(run: Command) -> None:
    """The JSON names model, budget, and for each phase its levers and bytes."""
    found = json.loads(run("plan", "--model", "sd15", "--memory", "2GB", "--json").out)

    assert {"model", "budget_bytes", "phases"} == found.keys()
    assert ("sd15", 2 * 10**9) == (found["model"], found["budget_bytes"])
    assert list(PHASES) == [phase["name"] for phase in found["phases"]]
    for phase in found["phases"]:
        assert {"name", "levers", "counted_bytes", "predicted_bytes"} == phase.keys()
        assert phase["counted_bytes"] < phase["predicted_bytes"] <= 2 * 10**9


@pytest.mark.parametrize(
    ("model", "memory", "said"),
    [
        ("sd15", "much", "The memory was 'much', allowed is a size such as '8GB'"),
        ("sd15", "-2GB", "allowed is a size such as '8GB'"),
        ("sd15", "0GB", "allowed is a size above zero"),
        ("sdxl", "0.6GB", "with every lever pulled it needs 1.0"),
        ("sd51", "8GB", "Known without a download are 'sd15', 'sd21', 'sdxl'"),
    ],
)
def test_a_plan_that_cannot_be_is_one_sentence(
    run: Command, model: str, memory: str, said: str
) -> None:
    """A budget that is no size or too small, and a model that is not there: exit code 2."""
    done = run("plan", "--model", model, "--memory", memory)

    assert (2, "") == (done.code, done.out)
    assert said in done.err
    assert 1 == len(done.err.splitlines())


def test_a_model_that_is_not_in_the_table_is_counted(folder: Callable[[Kind], Path]) -> None:
    """A folder's own networks are counted, phase by phase, no further than the budget asks for."""
    events: list[Any] = []

    found = forecast(folder("sd1"), "8GB", exact=True, on_progress=events.append).record()

    assert ("tiny-sd1", 8 * 10**9) == (found["model"], found["budget_bytes"])
    assert all(0 < phase["counted_bytes"] < 10**8 for phase in found["phases"])
    assert all([] == phase["levers"] for phase in found["phases"])
    assert [("count", step) for step in range(1, 6)] == [(one.phase, one.step) for one in events]
