"""What is asked of a benchmark, and its stages: edit, score, report; each alone and resumable."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from benchmarks.edits.study import Run, Study, work
from benchmarks.environment import describe
from benchmarks.field import pictures, report, sheets
from benchmarks.field.catalogue import SCORERS, WEIGHTS, Benchmark, Weights
from benchmarks.field.exports import export
from benchmarks.field.items import Item, Loaded
from benchmarks.field.methods import METHODS, for_captions
from benchmarks.field.metrics.base import Scorer
from benchmarks.field.pictures import Made
from benchmarks.field.scoring import score_all, scored
from benchmarks.field.suite import FieldSuite, spread
from imagic_lora.errors import InputError

_NAMED = 10
"""Problems of a folder that are named in an error."""


@dataclass(frozen=True)
class Evaluation:
    """What is asked.

    Attributes:
        benchmark: The benchmark.
        data: Its folder.
        out: Where everything goes that is made.
        model: Pipeline folder of the model; None edits nothing.
        side: Side that it was trained on, in pixels.
        captions: File of captions, where the benchmark has none.
        limit: How many items; None is all.
        methods: Names of the methods.
        others: Folders of others' pictures, by what their rows are called.
        scorers: Names of the scorers.
        weights: Their weights.
    """

    benchmark: Benchmark
    data: Path
    out: Path
    model: Path | None = None
    side: int = 512
    captions: Path | None = None
    limit: int | None = None
    methods: tuple[str, ...] = tuple(METHODS)
    others: Mapping[str, str] = field(default_factory=dict)
    scorers: tuple[str, ...] = ()
    weights: Weights = field(default_factory=lambda: WEIGHTS)

    @cached_property
    def loaded(self) -> Loaded:
        """All that the folder holds, with its captions."""
        loaded = self.benchmark.load(self.data)
        return loaded if self.captions is None else loaded.captioned(self.captions)

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """The items that are taken.

        Raises:
            InputError: When something is wrong with the folder, or a caption is missing.
        """
        loaded, kinds = self.loaded, self.benchmark.kinds
        if loaded.problems:
            named = "; ".join(loaded.problems[:_NAMED])
            raise InputError(
                f"Of the items in '{self.data}', {len(loaded.problems)} cannot be used ({named}); "
                "mend them, or see all of them by --check."
            )
        items = spread(loaded.items, kinds, self.limit)
        if not items:
            raise InputError(f"There are no items in '{self.data}'; see what it holds by --check.")
        if not all(item.target for item in items):
            raise InputError(
                f"{self.benchmark.title} has instructions and no captions; give a JSON file of them, "
                '{"NAME": {"source": ..., "target": ...}}, by --captions.'
            )
        return items

    @cached_property
    def run(self) -> Run:
        """The run of the methods.

        Raises:
            InputError: When there is no model, or the folder of results is another run's.
        """
        if self.model is None or not self.model.is_dir():
            raise InputError(
                f"The model was '{self.model}', expected is a pipeline folder to edit with; give one "
                "by --model."
            )
        known = all(item.source is not None for item in self.items)
        study = Study(
            name=self.benchmark.name,
            result="",
            methods={name: for_captions(METHODS[name], known=known) for name in self.methods},
            summary=lambda _: {},
            suite=FieldSuite(self.benchmark.name, self.items, self.model, self.side),
        )
        self._claim()
        return Run(study, study.suite.cases("report", len(self.items)), self.out)

    def _claim(self) -> None:
        """Write what the pictures in the folder of results are made of, or compare it."""
        asked = {"benchmark": self.benchmark.name, "side": self.side, "captions": self._digest()}
        path = self.out / "run.json"
        if not path.exists():
            self.out.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(asked) + "\n")
            return
        found = json.loads(path.read_text())
        for name, value in asked.items():
            if found.get(name) != value:
                raise InputError(
                    f"The pictures in '{self.out}' were made with {name} {found.get(name)!r}, asked is "
                    f"{value!r}; give another folder by --out."
                )

    def _digest(self) -> str | None:
        """Return a hash of the file of captions."""
        if self.captions is None:
            return None
        return hashlib.sha256(self.captions.read_bytes()).hexdigest()[:16]

    @cached_property
    def made(self) -> list[Made]:
        """All pictures, those of the methods first.

        Raises:
            InputError: When some are missing, or a folder is called as a method's row is.
        """
        made = [] if self.model is None else pictures.of_run(self.run, self.items)
        for row, folder in self.others.items():
            if any(one.row == row for one in made):
                raise InputError(
                    f"There is a row '{row}' already; call '{folder}' by another name."
                )
            made += pictures.of_folder(row, Path(folder), self.items)
        return made

    @cached_property
    def chosen_scorers(self) -> tuple[Scorer, ...]:
        """The scorers."""
        return tuple(scorer for name in self.scorers for scorer in SCORERS[name](self.weights))

    @property
    def log(self) -> Path:
        """The file of scores."""
        return self.out / "scores.jsonl"


def carry_out(asked: Evaluation, stages: Iterable[str], processes: int) -> None:
    """Carry out some of the stages.

    Args:
        asked: What is asked.
        stages: Of "edit", "score" and "report".
        processes: How many cases are edited at once.
    """
    if asked.model is None and not asked.others:
        raise InputError("There is nothing to score; give --model to edit, or --score, or --check.")
    asked.out.mkdir(parents=True, exist_ok=True)
    if "edit" in stages and asked.model is not None:
        work(asked.run, processes)
    if "score" in stages:
        score_all(asked.made, asked.chosen_scorers, asked.log)
    if "report" in stages:
        write_report(asked)


def write_report(asked: Evaluation) -> None:
    """Write the page, its numbers, the sheets, and the pictures as the authors' tools want them.

    Raises:
        InputError: When nothing is scored yet.
    """
    scores = list(scored(asked.made, asked.chosen_scorers, asked.log))
    found = [report.Scored(m.row, m.item, s) for m, s in zip(asked.made, scores, strict=True)]
    if not any(scores):
        raise InputError(
            f"Nothing in '{asked.out}' is scored yet; carry out the stage 'score' first."
        )
    records = [] if asked.model is None else asked.run.records
    counts = (len(asked.items), len(asked.loaded.items))
    edited = {item.kind for item in asked.items}
    kinds = [kind for kind in asked.benchmark.kinds if kind in edited]
    title = asked.benchmark.title
    text = report.page(title, asked.benchmark.name, counts, found, records, kinds)
    (asked.out / "report.md").write_text(text, "utf-8")
    result = {
        "items": counts[0],
        "rows": report.as_json(report.means(found)),
        "costs": report.costs(records),
        "methods": {} if asked.model is None else _settings(asked.run),
        "scorers": [repr(scorer) for scorer in asked.chosen_scorers],
        "environment": describe(),
    }
    (asked.out / "report.json").write_text(json.dumps(result, indent=2) + "\n")
    _write_sheets(asked, found)
    export(asked.benchmark.name, asked.made, asked.out / "exports")
    print(f"wrote {asked.out / 'report.md'}")


def _settings(run: Run) -> dict[str, str]:
    return {name: repr(method) for name, method in run.study.methods.items()}


def _write_sheets(asked: Evaluation, found: list[report.Scored]) -> None:
    """Write the sheets of the first row's best and worst, and of some at random."""
    leading = report.leading_score(found)
    first = [(one.item.name, one.scores) for one in found if one.row == found[0].row]
    made = [(one, s.scores) for one, s in zip(asked.made, found, strict=True)]
    for name, names in sheets.choose(first, leading).items():
        if names:
            page = sheets.draw(names, made, leading)
            page.quantize(256).save(asked.out / f"sheet-{name}.png", optimize=True)
