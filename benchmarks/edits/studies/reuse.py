"""One fit for five prompts of different kinds against a fit for each.

Where no caption is given, a fit's own is found in the prompt that it is made for: the one fit has
that of the first prompt, whatever it is edited towards. Where hair and ears, or all of the picture,
are in its caption, most prompts are silent about most of that.
"""

from dataclasses import dataclass
from typing import Any

from benchmarks.edits.methods import Bench
from benchmarks.edits.methods.imagic import ImagicLora
from benchmarks.edits.rates import rate_each
from benchmarks.edits.sheets import write_sheet
from benchmarks.edits.study import Run, Study
from benchmarks.edits.worlds import ManyTargets
from imagic_lora import Adapter
from imagic_lora.bench.items import Item

SUITE = ManyTargets()


@dataclass(frozen=True)
class FoundOnce(ImagicLora):
    """The product where it is fitted for the first prompt, whatever is asked for later."""

    def fit(self, bench: Bench, case: Item) -> Adapter:
        """Fit the picture."""
        return bench.editor.fit(case.picture, target=case.notes["first"], settings=self.fitting)


@dataclass(frozen=True)
class Said(ImagicLora):
    """The product where the caption names what it likes, whatever is asked for later.

    Attributes:
        named: What it names besides the subject.
    """

    named: str = "everything"

    def fit(self, bench: Bench, case: Item) -> Adapter:
        """Fit the picture."""
        caption = case.notes["captions"][self.named]
        return bench.editor.fit(case.picture, source=caption, settings=self.fitting)


def summary(run: Run) -> dict[str, Any]:
    """Return how good the edits are after each kind of fit."""
    return {"portraits": len(run.cases) // SUITE.targets, "fits": rate_each(run, "fits")}


def write_pictures(run: Run, _: dict[str, Any]) -> None:
    """Write a sheet of the first portrait's edits, at alpha 1, by fits whose captions say more."""
    said = [one for one in run.records if isinstance(run.study.methods[one["method"]], Said)]
    first = [case.name for case in run.cases[: SUITE.targets]]
    write_sheet(run.study.result, run, said, first, lambda _: "1")


STUDY = Study(
    name="reuse",
    result="reuse",
    methods={
        "a fit for each": ImagicLora(caption="found"),
        "one fit": FoundOnce(),
        "hair and ears captioned": Said(named="hair and ears"),
        "everything captioned": Said(),
    },
    summary=summary,
    suite=SUITE,
    count=6,
    pictures=write_pictures,
)
