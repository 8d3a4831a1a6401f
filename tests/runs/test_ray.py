"""Ray itself: a run with two workers, of which one is killed."""

import json
import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from imagic_lora import read_jobs, run
from imagic_lora.demo import NEXT_TARGET, PICTURE, SOURCE, TARGET

FITS = 3


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    """Give two short edits of each of three fits of the bundled example."""
    few: dict[str, Any] = {"source": SOURCE, "alpha": 1, "edit": {"steps": 1}}
    return [
        {"image": str(PICTURE), "target": target, "fit": {"steps": 2, "seed": seed}, **few}
        for seed in range(FITS)
        for target in (TARGET, NEXT_TARGET)
    ]


def killed_while_it_fits(words: list[str]) -> tuple[list[dict[str, Any]], int]:
    """Run the command line, end the first worker that fits, and return what happened, and the code."""
    secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    command = [sys.executable, "-m", "imagic_lora", "run", *words, "--json"]
    events: list[dict[str, Any]] = []
    processes: dict[str, int] = {}
    killed = False
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, **secret}
    ) as running:
        for line in running.stdout or ():
            events.append(event := json.loads(line))
            if event["event"] == "ready":
                processes[event["worker"]] = event["process"]
            if event["event"] == "step" and not killed:
                os.kill(processes[event["worker"]], signal.SIGKILL)
                killed = True
    return events, running.returncode


@pytest.mark.early
def test_a_worker_that_is_killed_is_replaced(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    """Every row ends well, and every file is equal to the byte to what one process makes."""
    jobs = tmp_path / "jobs.jsonl"
    jobs.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    words = [str(jobs), "-o", str(tmp_path / "ray"), "--model", "demo", "--device", "cpu"]

    events, code = killed_while_it_fits([*words, "--workers", "2", "--tries", "3"])
    run(read_jobs(rows), tmp_path / "alone", "demo", device="cpu")

    outcomes = [each["outcome"] for each in events if each["event"] == "landed"]
    assert code == 0
    assert ["ok"] * len(rows) == [outcome["status"] for outcome in outcomes]
    assert max(outcome["tries"] for outcome in outcomes) == 2
    assert len({each["process"] for each in events if each["event"] == "ready"}) >= 2
    alone = files(tmp_path / "alone")
    assert FITS + len(rows) == len(alone)
    assert alone == files(tmp_path / "ray")


def files(out: Path) -> dict[str, bytes]:
    """Return the adapters and pictures of a run."""
    return {
        path.name: path.read_bytes()
        for folder in ("adapters", "pictures")
        for path in (out / folder).iterdir()
    }
