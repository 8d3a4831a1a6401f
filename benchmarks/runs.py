"""What becomes of a run whose workers, driver, disk or machines fail, and what workers save.

    python -m benchmarks.runs --fits 100 --faults 20 --keep /tmp/runs

Every run is the command line in a process of its own, and is held against one that nothing happened
to: every row ends, and every adapter and picture is equal to the byte. Who is at fault when is known
from the events that a run tells. Those with workers need Ray (the extra `ray`). With `--keep`, the same
line does what is left: a part that was done is not done again, and one that was stopped begins anew.
"""

import argparse
import json
import os
import random
import secrets
import shutil
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from benchmarks.environment import describe, write_result
from benchmarks.running import Faults, Running, files, smaller, told
from benchmarks.tables import versions
from imagic_lora.bench.tables import table
from imagic_lora.demo import NEXT_TARGET, PICTURE, SOURCE, TARGET

_FEW = 6
"""Fits of the runs in which one fault is to be seen, not many."""

_PATIENT = ("--tries", "10", "--time-limit", "0.5")
_ONE_WORKER = ("--workers", "1", *_PATIENT)
_WORKERS = ("--workers", "2", *_PATIENT)

Part = Callable[[], dict[str, Any]]


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fits", type=int, default=100, help="fits of two edits each")
    parser.add_argument("--faults", type=int, default=20, help="how many befall the longest run")
    parser.add_argument("--model", default="demo", help="the model")
    parser.add_argument("--keep", type=Path, help="a folder to go on in; default: none is kept")
    options = parser.parse_args(arguments)
    os.environ.update(
        OMP_NUM_THREADS="1",
        HF_HUB_OFFLINE="1",
        RAY_AUTH_MODE="token",
        RAY_AUTH_TOKEN=secrets.token_hex(32),
    )
    with TemporaryDirectory() as folder:
        place = (options.keep or Path(folder)) / f"{options.fits}-{options.faults}"
        print(write_result("runs", measure(place, options)))


def measure(place: Path, options: Namespace) -> dict[str, Any]:
    """Return what became of every run.

    Args:
        place: A folder to work in; parts that were done there are not done again.
        options: How much to do.
    """
    rows = [row for seed in range(options.fits) for row in _fit(PICTURE, seed)]
    start, few = _Start(place, options.model), rows[: 2 * _FEW]
    parts: dict[str, tuple[str, Part]] = {
        "one process": ("one", lambda: told(start("one", rows))),
        "few rows, one process": ("few", lambda: told(start("few", few))),
        "few rows, one worker": ("single", lambda: told(start("single", few, *_ONE_WORKER))),
        "few rows, two workers": ("workers", lambda: told(start("workers", few, *_WORKERS))),
        "full disk": ("full", lambda: _full(start, few)),
        "rows at fault": ("rows", lambda: _rows_at_fault(start, few)),
        "lost node": ("node", lambda: _lost_node(start, few)),
        "workers and drivers at fault": ("faults", lambda: _faults(start, rows, options.faults)),
    }
    results = {name: _part(place, name, *part) for name, part in parts.items()}
    found = {"ray": version("ray"), "model": options.model, "fits": options.fits}
    return {**describe(), **found, "runs": results, "rates": _rates(results)}


def _part(place: Path, name: str, out: str, part: Part) -> dict[str, Any]:
    """Return what a part came to, now or before, held against the run that nothing happened to."""
    kept = place / f"{out}.result.json"
    if kept.exists():
        found: dict[str, Any] = json.loads(kept.read_text())
        return found
    place.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(place / out, ignore_errors=True)
    found = part()
    wanted, made = files(place / "one"), files(place / out)
    both = wanted.keys() & made.keys()
    found |= {"compared": len(both), "equal": all(wanted[each] == made[each] for each in both)}
    kept.write_text(json.dumps(found))
    print(json.dumps({name: found}), flush=True)
    return found


def _rates(results: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Return how workers compare with the loop in one process, on the same rows, side by side."""
    loop, single, workers = (
        results[f"few rows, {who}"] for who in ("one process", "one worker", "two workers")
    )
    return {
        "speed-up of two workers": round(loop["seconds working"] / workers["seconds working"], 2),
        "time of one worker by that of the loop": round(
            single["seconds working"] / loop["seconds working"], 2
        ),
        "seconds to start the loop": round(loop["seconds"] - loop["seconds working"], 1),
        "seconds to start two workers": round(workers["seconds"] - workers["seconds working"], 1),
    }


def figures(result: Mapping[str, Any]) -> str:
    """Return what became of every run, and what workers save, in Markdown.

    Args:
        result: The result file.
    """
    header = (
        "run",
        "faults",
        "rows",
        "ok",
        "error",
        "died",
        "timeout",
        "files compared, all equal",
    )
    rows = [
        (
            f"{name} ({', '.join(f'{n} x {kind}' for kind, n in found['kinds'].items())})"
            if "kinds" in found
            else name,
            str(found.get("faults", "-")),
            *(str(found[key]) for key in ("rows", "ok", "error", "died", "timeout")),
            f"{found['compared']}, {'yes' if found['equal'] else 'no'}",
        )
        for name, found in result["runs"].items()
    ]
    rates = "\n".join(f"- {name}: {value:g}" for name, value in result["rates"].items())
    where = f"{result['device']}, {result['cores']} cores; Ray {result['ray']}, {versions(result)}"
    return f"{table(header, rows)}\n\n{rates}\n\n{where}."


def _fit(picture: Path, seed: int) -> list[dict[str, Any]]:
    """Return the rows of one fit: two edits."""
    few = {"alpha": 1, "fit": {"steps": 2, "seed": seed}, "edit": {"steps": 2}}
    return [
        {"image": str(picture), "source": SOURCE, "target": target, **few}
        for target in (TARGET, NEXT_TARGET)
    ]


class _Start:
    """Starts runs.

    Args:
        place: The folder for their job files and all that they make.
        model: The model.
    """

    def __init__(self, place: Path, model: str) -> None:
        self.place, self._model = place, model

    def __call__(
        self, out: str, rows: Sequence[dict[str, Any]], *words: str, most_bytes: int = -1
    ) -> Running:
        """Start a run; with a limit, no file of it may grow beyond that size."""
        jobs = self.place / f"{out}.jsonl"
        jobs.write_text("\n".join(map(json.dumps, rows)))
        line = [str(jobs), "-o", str(self.place / out), "--model", self._model, *words]
        return Running(line, most_bytes)


def _full(start: _Start, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what a run comes to whose files cannot be written whole, and then can."""
    limits = [smaller(start.place / "one", chance) for chance in (0.1, 0.5, 0.9)]
    failed = [told(start("full", rows, most_bytes=limit)) for limit in limits]
    return {"faults": len(failed), "failed": failed, **told(start("full", rows))}


def _rows_at_fault(start: _Start, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return how rows end that raise, that always kill their worker, and at which it always hangs."""
    bad = {name: start.place / f"{name}.png" for name in ("raises", "kills", "hangs")}
    for path in bad.values():
        shutil.copy(PICTURE, path)
    more = [row for n, path in enumerate(bad.values()) for row in _fit(path, 10**6 + n)]
    running = start("rows", [*rows, *more], "--workers", "2", "--time-limit", "0.5")
    for event in running:
        if event["event"] == "begun":
            Image.open(PICTURE).rotate(180).save(bad["raises"])
        elif event["event"] == "step" and "kills.png" in event["what"]:
            running.kill(event["worker"])
        elif event["event"] == "step" and "hangs.png" in event["what"]:
            running.stop(event["worker"])
    return told(running)


def _lost_node(start: _Start, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what a run comes to of whose two machines one goes, and another one comes."""
    machines, other = _two_machines()
    running = start("node", rows, *_WORKERS, "--ray", machines.address)
    try:
        for event in running:
            if event["event"] == "landed" and event["ended"] == 3:
                machines.remove_node(other, allow_graceful=False)
                machines.add_node(num_cpus=1, object_store_memory=80 * 2**20)
        return {"faults": 1, **told(running)}
    finally:
        machines.shutdown()


def _two_machines() -> tuple[Any, Any]:
    """Return a cluster of two machines, all here, and the second of them; a busy CPU needs tries."""
    from ray.cluster_utils import Cluster  # noqa: PLC0415  an extra

    small = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    for left in (2, 1, 0):
        machines = Cluster()
        try:
            machines.add_node(**small, include_dashboard=False)
            return machines, machines.add_node(**small)
        except Exception:
            machines.shutdown()
            if not left:
                raise
    raise AssertionError


def _faults(start: _Start, rows: Sequence[dict[str, Any]], count: int) -> dict[str, Any]:
    """Return what a run comes to whose workers are killed or hang, and whose driver is killed."""
    kinds = ["worker killed", "worker killed", "worker killed", "worker hangs", "driver killed"]
    faults = Faults(count, len(rows), kinds, random.Random(0))
    while not (running := start("faults", rows, *_WORKERS)).befallen(faults):
        pass
    return {"faults": len(faults.done), "kinds": Counter(faults.done), **running.ended()}


if __name__ == "__main__":
    main()
