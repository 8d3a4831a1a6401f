"""Runs methods on cases, in several processes; a run that was stopped goes on where it was.

Each finished case is one line of a JSON-lines file, and its pictures lie beside it.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch

from benchmarks.edits.methods import Bench
from benchmarks.edits.scores import score
from benchmarks.world.judge import WEIGHTS
from benchmarks.world.pipeline import MODEL, REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from benchmarks.edits.cases import Case
    from benchmarks.edits.methods import Method

BUILD = REPOSITORY / "build" / "edits"

Record = dict[str, Any]
"""One method on one case: who, what, the scores by strength, the strength that the product's rule
chooses, and what it took."""

_bench: list[Bench] = []  # of a worker process; filled once, since loading takes seconds


@dataclass(frozen=True)
class Run:
    """What is run and where it is kept.

    Attributes:
        folder: Holds the records and the pictures.
        methods: The methods by name.
        cases: The cases.
        model: Pipeline folder of the model.
    """

    folder: Path
    methods: Mapping[str, Method]
    cases: tuple[Case, ...]
    model: Path = MODEL

    @property
    def log(self) -> Path:
        """The file of finished cases."""
        return self.folder / "records.jsonl"

    def version(self, name: str) -> str:
        """Return what tells results apart that must not be mixed: the model and the settings."""
        hashed = hashlib.sha256(repr(self.methods[name]).encode())
        for path in sorted(self.model.glob("*/*.safetensors")):
            hashed.update(path.read_bytes())
        return hashed.hexdigest()[:16]

    def records(self) -> list[Record]:
        """Return the finished records of this run, in the order of the cases."""
        versions = {name: self.version(name) for name in self.methods}
        cases = [case.name for case in self.cases]
        if not self.log.exists():
            return []
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        found = {
            (line["method"], line["case"]): line
            for line in lines
            if versions.get(line["method"]) == line["version"] and line["case"] in cases
        }
        return [found[n, c] for n in self.methods for c in cases if (n, c) in found]


def run(what: Run, processes: int) -> list[Record]:
    """Do what is not yet done and return all records.

    Args:
        what: What to run.
        processes: How many cases are worked on at once.
    """
    what.folder.mkdir(parents=True, exist_ok=True)
    done = {(record["method"], record["case"]) for record in what.records()}
    # Case by case, so that a run that is stopped has all methods on the same cases.
    todo = [(n, case) for case in what.cases for n in what.methods if (n, case.name) not in done]
    if todo:
        versions = {name: what.version(name) for name in what.methods}
        jobs = [(n, what.methods[n], case, versions[n], what.folder) for n, case in todo]
        context = multiprocessing.get_context("spawn")
        with context.Pool(processes, _begin, (what.model,)) as pool:
            _collect(pool.imap_unordered(_work, jobs), len(jobs), what.log)
    return what.records()


def _collect(records: Iterable[Record], count: int, log: Path) -> None:
    """Write each record as it comes, and say how far the run is."""
    began = time.monotonic()
    for number, record in enumerate(records, start=1):
        with log.open("a") as file:
            file.write(json.dumps(record) + "\n")
        left = (time.monotonic() - began) / number * (count - number)
        line = f"{number}/{count} {record['method']} {record['case']}"
        print(f"{line}, {record['seconds']:.0f} s; {left / 60:.0f} min left", flush=True)


def _begin(model: Path) -> None:
    """Load the model in a worker process; each works with one thread."""
    torch.set_num_threads(1)
    _bench.append(Bench.load(model, WEIGHTS))


def _work(job: tuple[str, Method, Case, str, Path]) -> Record:
    """Do one job in a worker process."""
    name, method, case, version, folder = job
    return {"version": version, **measure(_bench[0], name, method, case, folder)}


def measure(bench: Bench, name: str, method: Method, case: Case, folder: Path) -> Record:
    """Run one method on one case at all its strengths, and keep the pictures.

    Args:
        bench: The model and the judge.
        name: Name of the method.
        method: The method.
        case: The case.
        folder: Where pictures go.
    """
    began = time.monotonic()
    bench.passes.take()
    prepared = method.prepare(bench, case)
    fit, fitted = bench.passes.take(), time.monotonic()
    scores, surprises, edits = {}, {}, []
    for strength in method.strengths:
        asked = time.monotonic()
        picture = method.edit(bench, case, prepared, strength)
        edits.append((bench.passes.take(), time.monotonic() - asked))
        path = picture_path(folder, name, case.name, strength)
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
        scores[f"{strength:g}"] = asdict(score(bench.judge, case, picture))
    first, seconds = edits[0]  # what the later ones take over from it is not counted
    for key in scores:
        path = picture_path(folder, name, case.name, float(key))
        surprises[key] = bench.editor.surprise(path, case.target)
    return {
        "method": name,
        "case": case.name,
        "kind": case.kind,
        "style": case.style,
        "scores": scores,
        "chosen": min(surprises, key=surprises.__getitem__),
        "passes_fwd": fit.forward + first.forward,
        "passes_fwd_bwd": fit.forward_backward,
        "seconds_fit": round(fitted - began, 2),
        "seconds": round(fitted - began + seconds, 2),
        "bytes": method.size(prepared),
    }


def picture_path(folder: Path, method: str, case: str, strength: float) -> Path:
    """Return where a picture is kept."""
    return folder / method / f"{case}@{strength:g}.png"
