"""What is asked of a benchmark, and its stages: edit, score, judge, report; each alone and resumable."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from imagic_lora.bench import report, sheets
from imagic_lora.bench.catalogue import SCORERS, WEIGHTS, Benchmark, Weights
from imagic_lora.bench.columns import COLUMNS, Columns
from imagic_lora.bench.editing import Editing
from imagic_lora.bench.exports import export
from imagic_lora.bench.inputs import spread
from imagic_lora.bench.items import Item, Loaded
from imagic_lora.bench.judging.judge import Judge, judge_all, judged
from imagic_lora.bench.made import Made, of_folder
from imagic_lora.bench.metrics.base import Scorer
from imagic_lora.bench.scoring import score_all, scored
from imagic_lora.errors import InputError
from imagic_lora.files import write_atomic
from imagic_lora.images.png import to_png
from imagic_lora.models.repository import is_hub_name

_NAMED = 10
"""Problems of a folder that are named in an error."""

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What is asked.

    Attributes:
        benchmark: The benchmark.
        data: Its folder, as its authors have it.
        out: Where everything goes that is made.
        captions: File of captions, where the benchmark has none.
        limit: How many items; None is all.
        others: Folders of others' pictures, by what their rows are called.
        scorers: Names of the scorers; () is those of the benchmark, or none beside `own`.
        own: Scorers that are none of the package's.
        weights: Their weights.
        judge: Who judges; None is nobody.
        origin: The data set on the Hub that the folder came from, and its commit; "" for none.
    """

    benchmark: Benchmark
    data: Path
    out: Path
    captions: Path | None = None
    limit: int | None = None
    others: Mapping[str, str] = field(default_factory=dict)
    scorers: tuple[str, ...] = ()
    own: tuple[Scorer, ...] = ()
    weights: Weights = field(default_factory=lambda: WEIGHTS)
    judge: Judge | None = None
    origin: str = ""

    @cached_property
    def loaded(self) -> Loaded:
        """All that the folder holds, with its captions; what is packed is unpacked beside the results."""
        packing = self.benchmark.packing
        folder = self.data if packing is None else packing.unpacked(self.data, self.out / "data")
        loaded = self.benchmark.load(folder)
        return loaded if self.captions is None else loaded.captioned(self.captions)

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """The items that are taken.

        Raises:
            InputError: When something is wrong with the folder, or a caption is missing.
        """
        loaded = self.loaded
        if loaded.problems:
            named = "; ".join(loaded.problems[:_NAMED])
            raise InputError(
                f"Of the items in '{self.data}', {len(loaded.problems)} cannot be used ({named}); "
                "mend them, or see all of them by --check."
            )
        items = spread(loaded.items, self.kinds, self.limit)
        if not items:
            raise InputError(f"There are no items in '{self.data}'; see what it holds by --check.")
        if not all(item.target for item in items):
            raise InputError(
                f"{self.benchmark.title} has instructions and no captions; give a JSON file of them, "
                '{"NAME": {"source": ..., "target": ...}}, by --captions.'
            )
        return items

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of the edits, in the order of tables."""
        found = dict.fromkeys(item.kind for item in self.loaded.items)
        return self.benchmark.kinds or tuple(found)

    @property
    def columns(self) -> Columns:
        """How scores are written, those of one's own first."""
        return {
            name: column
            for scorer in self.own
            for name, column in getattr(scorer, "columns", {}).items()
        } | {**COLUMNS}

    @property
    def numbered(self) -> list[tuple[int, Item]]:
        """The items that are taken, with their numbers in the whole set, which no limit changes."""
        number = {item.name: count for count, item in enumerate(self.loaded.items)}
        return [(number[item.name], item) for item in self.items]

    @property
    def remarks(self) -> list[str]:
        """Sentences on where the data came from and who judged."""
        came = [f"The data are those of {self.origin}."] if self.origin else []
        return came + ([f"The judge was {self.judge.asked}."] if self.judge else [])

    def check_scorers(self) -> None:
        """Raise unless the packages and folders are there that scores need.

        Raises:
            InputError: When a package or a folder is missing.
        """
        for scorer in self.chosen_scorers:
            missing = [name for name in getattr(scorer, "needs", ()) if find_spec(name) is None]
            if missing:
                raise InputError(
                    f"{type(scorer).__name__} needs {' and '.join(missing)}, not installed; install "
                    "them (pip install 'imagic-lora[bench]', and torchvision of the same build as "
                    "torch), or choose other scores by --scorers."
                )
        for name, place in self.weights.items():
            if place != WEIGHTS.get(name) and not Path(place).is_dir() and not is_hub_name(place):
                raise InputError(
                    f"The weights of '{name}' were to be in '{place}', which is no folder and no "
                    "Hub name of the form owner/name."
                )

    @cached_property
    def chosen_scorers(self) -> tuple[Scorer, ...]:
        """The scorers."""
        names = self.scorers or (() if self.own else self.benchmark.scorers)
        known = (scorer for name in names for scorer in SCORERS[name](self.weights))
        return (*self.own, *known)

    def foreign(self) -> list[Made]:
        """Return the pictures of others.

        Raises:
            InputError: When some are missing, or the items cannot be used.
        """
        items, others = self.items, self.others.items()
        return [made for row, folder in others for made in of_folder(row, Path(folder), items)]


@dataclass(frozen=True)
class Bench:
    """A benchmark, and what edits it.

    Attributes:
        asked: What is asked.
        editing: What edits; None where others' pictures alone are scored.
    """

    asked: Evaluation
    editing: Editing | None = None

    @cached_property
    def made(self) -> list[Made]:
        """All pictures, those of the methods first.

        Raises:
            InputError: When there are none, or a folder is called as a method's row is.
        """
        made = [] if self.editing is None else self.editing.made()
        rows = {one.row for one in made}
        for row, folder in self.asked.others.items():
            if row in rows:
                raise InputError(
                    f"There is a row '{row}' already; call '{folder}' by another name."
                )
        made += self.asked.foreign()
        if not made:
            raise InputError(
                f"There are no pictures in '{self.asked.out}' yet; carry out the stage 'edit' first."
            )
        return made

    def after(self, stages: Iterable[str], tell: Tell) -> None:
        """Carry out some of the stages that come after the edits.

        Args:
            stages: Of the stages; to edit is another's work.
            tell: Takes a line for each step.
        """
        asked, out = self.asked, self.asked.out
        if "score" in stages:
            score_all(self.made, asked.chosen_scorers, out / "scores.jsonl", tell)
        if "judge" in stages and asked.judge is not None:
            judge_all(self.made, asked.judge, out / "answers.jsonl", tell)
        if "report" in stages:
            self.write_report()

    def write_report(self) -> None:
        """Write the page, its numbers, the sheets, and the pictures as the authors' tools want them.

        Raises:
            InputError: When nothing is scored yet.
        """
        asked, found = self.asked, self._scored()
        outcomes = [] if self.editing is None else self.editing.outcomes()
        counts = (len(asked.items), len(asked.loaded.items))
        edited = {item.kind for item in asked.items}
        kinds = [kind for kind in asked.kinds if kind in edited]
        names = (asked.benchmark.title, asked.benchmark.name)
        remarks = [*asked.remarks, *([self.editing.told] if self.editing else [])]
        page = report.page(names, counts, found, outcomes, kinds, remarks, asked.columns)
        self._write("report.md", page)
        result = {
            "items": counts[0],
            "origin": asked.origin,
            "edited": "" if self.editing is None else self.editing.told,
            "rows": report.as_json(report.means(found)),
            "costs": report.costs(outcomes),
            "failed": [asdict(one) for one in outcomes if one.status != "ok"],
            "scorers": [repr(scorer) for scorer in asked.chosen_scorers],
            "judge": None if asked.judge is None else asked.judge.asked,
            "versions": {each: version(each) for each in ("imagic-lora", "torch", "transformers")},
        }
        self._write("report.json", json.dumps(result, indent=2) + "\n")
        self._write_sheets(found)
        export(asked.benchmark.name, self.made, asked.out / "exports")

    def _scored(self) -> list[report.Scored]:
        """Return the pictures with their scores and what a judge said of them."""
        asked = self.asked
        scores = scored(self.made, asked.chosen_scorers, asked.out / "scores.jsonl")
        said = judged(self.made, asked.judge, asked.out / "answers.jsonl")
        found = [
            report.Scored(made.row, made.item, {**values, **verdict})
            for made, values, verdict in zip(self.made, scores, said, strict=True)
        ]
        if not any(one.scores for one in found):
            raise InputError(
                f"Nothing in '{asked.out}' is scored yet; carry out the stage 'score' first."
            )
        return found

    def _write(self, name: str, text: str) -> None:
        write_atomic(self.asked.out / name, text.encode(), force=True)

    def _write_sheets(self, found: list[report.Scored]) -> None:
        """Write the sheets of the first row's best and worst, and of some at random."""
        leading = report.leading_score(found, self.asked.columns)
        column = self.asked.columns[leading]
        values = [one.scores.get(leading) for one in found]
        labels = (column.label(s.row, v) for s, v in zip(found, values, strict=True))
        made = list(zip(self.made, labels, strict=True))
        first = [
            (one.item.name, value)
            for one, value in zip(found, values, strict=True)
            if one.row == found[0].row
        ]
        beside = f"input; beside it {column.title}"  # the sheets' font has no arrows
        for name, names in sheets.choose(first, higher=column.higher).items():
            if names:
                page = to_png(sheets.draw(names, made, beside))
                write_atomic(self.asked.out / f"sheet-{name}.png", page, force=True)
