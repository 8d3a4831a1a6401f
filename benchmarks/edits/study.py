"""A study: some methods on the cases of a suite, in several processes, and what is made of it.

A study that was stopped goes on where it was: each finished case of a method is one line of a
JSON-lines file, and its pictures lie beside it.
"""

import hashlib
import multiprocessing
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from benchmarks.edits.measuring import Record, measure, picture_path
from benchmarks.edits.methods import FOR, Bench, Method
from benchmarks.edits.portraits import Split
from benchmarks.edits.worlds import PORTRAITS, Portraits
from benchmarks.environment import describe, write_result
from benchmarks.world.pipeline import REPOSITORY
from benchmarks.world.worlds import DRAWN, World
from imagic_lora.bench import lines
from imagic_lora.bench.items import Item
from imagic_lora.bench.metrics.base import Pair, Scorer, Scores
from imagic_lora.images.reading import open_image

BUILD = REPOSITORY / "build" / "edits"
_PIECE = 1 << 24

_lent: list[tuple[Bench, Scorer]] = []  # to a worker process, once, since loading takes seconds


@dataclass(frozen=True)
class Study:
    """A question, and the methods whose results answer it.

    Attributes:
        name: What the command line calls it.
        result: Name of the result file.
        methods: The methods by name.
        summary: Makes the content of the result file of a finished run.
        suite: What the methods are tried on.
        split: Which of its cases are taken.
        count: How many of them.
        slow: Methods that may be given fewer cases than the others.
        slow_count: How many; None is as many.
        whole: Whether the summary needs all of the methods.
        pictures: Draws what is looked at, given the run and the result.
    """

    name: str
    result: str
    methods: Mapping[str, Method]
    summary: Callable[["Run"], dict[str, Any]]
    suite: Portraits = PORTRAITS
    split: Split = "report"
    count: int = 24
    slow: tuple[str, ...] = ()
    slow_count: int | None = None
    whole: bool = False
    pictures: Callable[["Run", dict[str, Any]], None] | None = None

    def within(self, world: World) -> "Study":
        """Return the same study in a world, with the methods that its kind of model allows.

        What it finds in another world than the drawn one has a name of its own.

        Args:
            world: Whose portraits are edited, and by whose model.
        """
        result = self.result if world == DRAWN else f"{self.result}-{world.name}"
        methods = {
            name: method
            for name, method in self.methods.items()
            if FOR.get(name.split(": ")[0], world.kind) == world.kind
        }
        return replace(self, result=result, methods=methods, suite=self.suite.within(world))


@dataclass(frozen=True)
class Run:
    """A study on some of its cases.

    Attributes:
        study: The study.
        cases: The cases.
        folder: Holds the records and the pictures.
    """

    study: Study
    cases: Sequence[Item]
    folder: Path

    @classmethod
    def of(cls, study: Study) -> "Run":
        """Return the run of as many cases as a study asks for."""
        folder = BUILD / study.suite.name / f"{study.name}-{study.split}"
        cases = study.suite.items(study.split, study.count, folder / "cases")
        return cls(study, cases, folder)

    @property
    def log(self) -> Path:
        """The file of finished cases."""
        return self.folder / "records.jsonl"

    @cached_property
    def bench(self) -> Bench:
        """The model of the study's suite, for what a summary measures itself."""
        return Bench.of(self.study.suite.world.model)

    @cached_property
    def versions(self) -> dict[str, str]:
        """What tells results of each method apart that must not be mixed: settings and model."""
        methods = self.study.methods.items()
        hashes = {name: hashlib.sha256(repr(method).encode()) for name, method in methods}
        for path in sorted(self.study.suite.world.model.glob("*/*.safetensors")):
            with path.open("rb") as file:  # in pieces: a model may be larger than memory
                for piece in iter(partial(file.read, _PIECE), b""):
                    for found in hashes.values():
                        found.update(piece)
        return {name: found.hexdigest()[:16] for name, found in hashes.items()}

    @property
    def wanted(self) -> list[tuple[str, Item]]:
        """The methods with their cases, in the order in which they are done.

        A run that is stopped then has all methods on the same cases; what is slow comes last.
        """
        study = self.study
        quick = [name for name in study.methods if name not in study.slow]
        slow = [name for name in study.methods if name in study.slow]
        few = self.cases[: study.slow_count]
        return [*_case_by_case(quick, self.cases), *_case_by_case(slow, few)]

    @property
    def records(self) -> list[Record]:
        """The finished records, method by method, in the order of the cases.

        Of a slow method too where an earlier run has finished more cases than are wanted now.
        """
        cases = [case.name for case in self.cases]
        found = {
            (line["method"], line["case"]): line
            for line in lines.read(self.log)
            if self.versions.get(line["method"]) == line["version"]
        }
        pairs = ((name, case) for name in self.study.methods for case in cases)
        return [found[pair] for pair in pairs if pair in found]

    def by_method(self) -> dict[str, list[Record]]:
        """Return the finished records of each method that has any."""
        found: dict[str, list[Record]] = {}
        for record in self.records:
            found.setdefault(record["method"], []).append(record)
        return found

    def path(self, record: Record, strength: float | str) -> Path:
        """Return the file of what a method made of a case at one of its strengths."""
        return picture_path(self.folder, record["method"], record["case"], float(strength))

    def picture(self, record: Record, strength: float | str) -> Image.Image:
        """Return what a method made of a case at one of its strengths."""
        return open_image(self.path(record, strength))

    def score(self, case: Item, picture: Image.Image) -> Scores:
        """Return what a picture is worth as an edit of a case."""
        return self.study.suite.scorer.score(Pair.of(case, picture))


def _case_by_case(names: Sequence[str], cases: Sequence[Item]) -> list[tuple[str, Item]]:
    return [(name, case) for case in cases for name in names]


def carry_out(study: Study, processes: int) -> Path:
    """Do what is not yet done of a study, write its result and its pictures.

    Args:
        study: The study.
        processes: How many cases are worked on at once.

    Returns:
        The result file.
    """
    run = Run.of(study)
    work(run, processes)
    result = {"split": study.split, **study.summary(run), "environment": describe()}
    path = write_result(study.result, result)
    if study.pictures is not None:
        study.pictures(run, result)
    return path


def work(run: Run, processes: int) -> None:
    """Do what is not yet done of a run, in processes of their own."""
    run.folder.mkdir(parents=True, exist_ok=True)
    done = {(record["method"], record["case"]) for record in run.records}
    jobs = [
        (name, run.study.methods[name], case, run.versions[name], run.folder)
        for name, case in run.wanted
        if (name, case.name) not in done
    ]
    if jobs:
        context = multiprocessing.get_context("spawn")
        with context.Pool(processes, _begin, (run.study.suite,)) as pool:
            _collect(pool.imap_unordered(_work, jobs), len(jobs), run.log)


def _collect(records: Iterable[Record], count: int, log: Path) -> None:
    """Write each record as it comes, and say how far the run is."""
    began = time.monotonic()
    for number, record in enumerate(records, start=1):
        lines.add(log, record)
        left = (time.monotonic() - began) / number * (count - number)
        line = f"{number}/{count} {record['method']} {record['case']}"
        print(f"{line}, {record['seconds']:.0f} s; {left / 60:.0f} min left", flush=True)


def _begin(suite: Portraits) -> None:
    """Load the model in a worker process; each works with one thread."""
    torch.set_num_threads(1)
    _lent.append((Bench.of(suite.world.model), suite.scorer))


def _work(job: tuple[str, Method, Item, str, Path]) -> Record:
    """Do one job in a worker process."""
    name, method, case, version, folder = job
    return {"version": version, **measure(*_lent[0], name, method, case, folder)}
