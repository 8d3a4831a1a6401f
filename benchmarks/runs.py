"""What becomes of a run that is killed, loses workers or fills its disk, and what workers save.

    python -m benchmarks.runs --fits 100 --faults 20

Every run is a process of its own, on the bundled model, in a folder of its own, and is held against
one that nothing happened to: every row ends, and every adapter and picture is equal to the byte.
Those with workers need Ray (the extra `ray`); without it they are left out, which the result says.
"""

import argparse
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from benchmarks.environment import describe, write_result
from imagic_lora.demo import NEXT_TARGET, PICTURE, SOURCE, TARGET

_STEPS = 4
"""Steps of each fit and each edit: enough to be killed in the middle of."""


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fits", type=int, default=100, help="fits of two edits each")
    parser.add_argument("--faults", type=int, default=20, help="how many to make of each kind")
    parser.add_argument("--workers", type=int, default=2, help="workers of the runs by Ray")
    options = parser.parse_args(arguments)
    os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1")
    with TemporaryDirectory() as folder:
        print(write_result("runs", measure(Path(folder), options)))


def measure(place: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return what became of every run.

    Args:
        place: A folder to work in.
        options: How much to do.
    """
    _write_jobs(place, options.fits)
    whole = _timed(place, "whole")
    wanted = _files(place / "whole")
    chance = random.Random(0)
    span = whole["seconds"] / (options.faults + 1)
    results = {
        "one process": whole,
        "killed": _killed(place, "killed", options.faults, span, chance),
        "full disk": _full(place, options.faults, wanted, chance),
    }
    if find_spec("ray") is not None:
        words = ("--workers", str(options.workers), "--tries", "10")
        results["workers"] = _timed(place, "workers", *words)
        results["workers killed"] = _bereft(place, words, options.faults, span, chance)
    for name, result in results.items():
        made = _files(place / name.replace(" ", "-")) if name != "one process" else wanted
        result["equal to one process"] = made == wanted
    return {**describe(), "fits": options.fits, "rows": 2 * options.fits, "runs": results}


def _write_jobs(place: Path, fits: int) -> None:
    """Write a file of jobs: two edits of each fit, which differ by their seeds."""
    rows = [
        {
            "image": str(PICTURE),
            "source": SOURCE,
            "target": target,
            "alpha": 1,
            "fit": {"steps": _STEPS, "seed": seed},
            "edit": {"steps": _STEPS},
        }
        for seed in range(fits)
        for target in (TARGET, NEXT_TARGET)
    ]
    (place / "jobs.jsonl").write_text("\n".join(map(json.dumps, rows)))


def _started(place: Path, out: str, *words: str, most_bytes: int = -1) -> "subprocess.Popen[bytes]":
    """Start a run; with a limit, no file of it may grow beyond that size."""

    def limit() -> None:
        if most_bytes >= 0:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    line = ["run", str(place / "jobs.jsonl"), "-o", str(place / out), "--model", "demo", *words]
    return subprocess.Popen(
        [sys.executable, "-m", "imagic_lora", *line],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=limit,  # noqa: PLW1509  no thread is there before it
    )


def _timed(place: Path, out: str, *words: str) -> dict[str, Any]:
    """Return what a run comes to that nothing happens to."""
    began = time.monotonic()
    code = _started(place, out, *words).wait()
    return {"code": code, "seconds": round(time.monotonic() - began, 1), **_summary(place / out)}


def _killed(
    place: Path, out: str, faults: int, span: float, chance: random.Random
) -> dict[str, Any]:
    """Return what a run comes to that is killed again and again, and then goes on."""
    for _ in range(faults):
        running = _started(place, out)
        time.sleep(chance.uniform(0, 2 * span))
        running.kill()
        running.wait()
    return {"faults": faults, **_timed(place, out)}


def _full(
    place: Path, faults: int, wanted: Mapping[str, str], chance: random.Random
) -> dict[str, Any]:
    """Return what a run comes to whose files cannot be written whole, and then can."""
    sizes = [(place / "whole" / name).stat().st_size for name in wanted]
    codes = [
        _started(place, "full-disk", most_bytes=chance.randrange(max(sizes))).wait()
        for _ in range(faults)
    ]
    return {"faults": faults, "codes": sorted(set(codes)), **_timed(place, "full-disk")}


def _bereft(
    place: Path, words: Sequence[str], faults: int, span: float, chance: random.Random
) -> dict[str, Any]:
    """Return what a run comes to whose workers are killed again and again."""
    running, killed = _started(place, "workers-killed", *words), 0
    while running.poll() is None:
        time.sleep(chance.uniform(0, span))
        workers = [
            each
            for each in psutil.process_iter(["name", "cmdline"])
            if " ".join(each.info["cmdline"] or ()).startswith("ray::_Actor")
        ]
        if workers and killed < faults:
            chance.choice(workers).kill()
            killed += 1
    return {"faults": killed, "code": running.wait(), **_summary(place / "workers-killed")}


def _files(out: Path) -> dict[str, str]:
    """Return the hash of every adapter and picture of a run, and of whatever else is there."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in ("adapters", "pictures")
        for path in sorted((out / folder).iterdir())
    }


def _summary(out: Path) -> dict[str, Any]:
    """Return how the rows of a run ended."""
    found = json.loads((out / "summary.json").read_text("utf-8"))
    return {name: found[name] for name in ("rows", "ok", "error", "died", "timeout", "left")}


if __name__ == "__main__":
    main()
