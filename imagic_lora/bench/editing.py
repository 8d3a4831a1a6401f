"""The stage that edits: a run of the product, and the rivals beside it; both go on where they were.

Knows nothing of scores.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from imagic_lora.bench import lines
from imagic_lora.bench.choices import PRODUCT, UNCHANGED
from imagic_lora.bench.inputs import Inputs
from imagic_lora.bench.items import Item
from imagic_lora.bench.made import Made
from imagic_lora.bench.rivals.base import Lent, Rival
from imagic_lora.bench.rivals.painting import Painting, Work
from imagic_lora.bench.rows import TITLES, Settings, jobs_of
from imagic_lora.runs.asked import standing
from imagic_lora.runs.events import Event, Outcome
from imagic_lora.runs.folder import Folder
from imagic_lora.runs.jobs import Jobs, Shard
from imagic_lora.runs.run import model_name, run
from imagic_lora.settings import WorkerSettings


@dataclass(frozen=True, kw_only=True)
class Editing:
    """What is edited, how, and where it goes.

    Attributes:
        items: The items with their numbers.
        methods: Names of the methods.
        rivals: The rivals among them.
        model: The model, as it was asked for.
        loading: What `ImagicEditor.from_pretrained` takes besides.
        settings: How the product fits and edits.
        out: The folder of the bench.
        force: Whether to make anew what was made for something else.
    """

    items: Sequence[tuple[int, Item]]
    methods: tuple[str, ...]
    rivals: tuple[Rival, ...]
    model: str
    loading: Mapping[str, Any]
    settings: Settings
    out: Path
    force: bool = False

    @cached_property
    def inputs(self) -> Inputs:
        """The pictures of the items."""
        return Inputs(self.loading.get("config") or self.model, self.out / "inputs")

    @cached_property
    def jobs(self) -> Jobs | None:
        """What a run of the product is to do; None where it is none of the methods."""
        if not set(self.methods) & set(PRODUCT):
            return None
        return jobs_of(self.items, self.methods, self.inputs, self.settings)

    @property
    def name(self) -> str:
        """What a run calls the model."""
        return model_name(self.model, self.loading)

    @property
    def told(self) -> str:
        """With which model and settings pictures are made, in a sentence."""
        asked = {"fits": self.settings.fit, "pictures": self.settings.edit}
        how = [
            f"{what} with {', '.join(f'{name}={value}' for name, value in given.items())}"
            for what, given in asked.items()
            if given
        ]
        return f"The model is {self.name}, at its defaults{' but for ' if how else ''}{' and '.join(how)}."

    def go(
        self,
        on_event: Callable[[Event], None],
        shard: str = "",
        workers: WorkerSettings | None = None,
    ) -> int:
        """Make what is left, and return how many of all pictures failed.

        Args:
            on_event: Takes what happens.
            shard: Which part to do, e.g. "3/16"; "" for all.
            workers: Who runs the product; the rivals are painted in this process.
        """
        self._painting(Shard.of(shard)).done(force=self.force)  # what is refused, before any work
        failed = 0
        if self.jobs is not None:
            report = run(
                self.jobs,
                self.out / "run",
                self.model,
                shard=shard,
                force=self.force,
                workers=workers or WorkerSettings(),
                on_event=on_event,
                **self.loading,
            )
            failed = len(report.failed)
        return failed + self._painting(Shard.of(shard)).go(on_event, force=self.force)

    def made(self) -> list[Made]:
        """Return the pictures that there are, row by row, the input itself among them.

        Raises:
            JobsError: When pictures of the run were made for something else.
            InputError: When pictures of a rival were.
        """
        items = {item.name: item for _, item in self.items}
        by_row: dict[str, list[Made]] = {TITLES[n]: [] for n in self.methods if n in PRODUCT}
        if self.jobs is not None:
            folder = self.out / "run"
            there = standing(self.jobs, folder, self.name, force=False)
            for row in self.jobs.rows:
                if there[row.id] is not None:
                    name = str(row.notes["row"])
                    item = items[str(row.notes["item"])]
                    by_row[name].append(Made(name, item, folder / row.picture))
        if UNCHANGED in self.methods:
            by_row[UNCHANGED] = [Made(UNCHANGED, i, i.picture) for i in items.values()]
        painting = self._painting(Shard())
        for work in painting.done():
            made = Made(work.rival.row, work.item, painting.folder.path / work.picture)
            by_row.setdefault(made.row, []).append(made)
        return [made for row in by_row.values() for made in row]

    def outcomes(self) -> list[Outcome]:
        """Return how each picture ended that was begun, the last of several tries."""
        names = {(row, item.name) for row in self._rows() for _, item in self.items}
        found = {
            outcome.id: outcome
            for folder in ("run", "rivals")
            for outcome in _manifests(self.out / folder)
            if (outcome.notes.get("row"), outcome.notes.get("item")) in names
        }
        return list(found.values())

    def _rows(self) -> list[str]:
        product = [TITLES[name] for name in self.methods if name in PRODUCT]
        return product + [rival.row for rival in self.rivals]

    def _painting(self, shard: Shard) -> Painting:
        """Return what the rivals are to paint in one part."""
        mine = self.items[shard.index :: shard.count]
        works = [Work(rival, item, number) for rival in self.rivals for number, item in mine]
        lent, folder = Lent(self.model, self.loading), Folder(self.out / "rivals", shard)
        return Painting(works, self.inputs, folder, lent, self.name)


def _manifests(folder: Path) -> Iterator[Outcome]:
    """Yield the outcomes in the manifests of a folder, of all parts."""
    for path in sorted(folder.glob("manifest*.jsonl")):
        for values in lines.read(path):
            yield Outcome.of(values)
