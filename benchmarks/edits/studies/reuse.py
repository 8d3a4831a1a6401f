"""One fit for five prompts of different kinds against a fit for each.

Where no caption is given, a fit's own is found in the prompt that it is made for: the one fit has
that of the first prompt, whatever it is edited towards. Where hair and ears, or all of the picture,
are in its caption, most prompts are silent about most of that.
"""

from dataclasses import dataclass, replace
from operator import itemgetter
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
        kept: Whether an edit keeps what of that the prompt is silent about; if not, it starts at
            the caption, however little of it the prompt repeats.
    """

    named: str = "everything"
    kept: bool = True

    def fit(self, bench: Bench, case: Item) -> Adapter:
        """Fit the picture."""
        caption = case.notes["captions"][self.named]
        adapter = bench.editor.fit(case.picture, source=caption, settings=self.fitting)
        if self.kept:
            return adapter
        # A prompt is never silent about itself: so an edit starts at what was fitted.
        return replace(adapter, record=replace(adapter.record, source=case.target))


def summary(run: Run) -> dict[str, Any]:
    """Return how good the edits are after each kind of fit."""
    return {"portraits": len(run.cases) // SUITE.targets, "fits": rate_each(run, "fits")}


def write_pictures(run: Run, _: dict[str, Any]) -> None:
    """Write a sheet of the first portrait's edits where its caption says more than the prompt."""
    said = [one for one in run.records if isinstance(run.study.methods[one["method"]], Said)]
    first = [case.name for case in run.cases[: SUITE.targets]]
    write_sheet(run.study.result, run, said, first, itemgetter("chosen"))


STUDY = Study(
    name="reuse",
    result="reuse",
    methods={
        "a fit for each": ImagicLora(caption="found"),
        "one fit": FoundOnce(),
        "hair and ears captioned": Said(named="hair and ears"),
        "hair and ears captioned, from the caption": Said(named="hair and ears", kept=False),
        "everything captioned": Said(),
        "everything captioned, from the caption": Said(kept=False),
    },
    summary=summary,
    suite=SUITE,
    count=6,
    pictures=write_pictures,
)
