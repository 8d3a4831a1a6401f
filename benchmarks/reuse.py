"""One fit for five prompts against a fit for each: `python -m benchmarks.reuse [--portraits N]`.

Every portrait of the `report` split is edited by five prompts of different kinds. Where no caption
is given, a fit's own is found in the prompt that it is made for: the one fit has that of the first
prompt, whatever it is edited towards. Where hair and ears, or all of the picture, are in its
caption, most prompts are silent about most of that. Can be stopped and taken up again. Writes
benchmarks/results/reuse.json and a sheet of the first portrait's edits.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, cast
from unittest import mock

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread in each of the processes

from benchmarks.edits.cases import make_targets
from benchmarks.edits.methods.imagic import Found, ImagicLora
from benchmarks.edits.runner import BUILD, Run
from benchmarks.edits.sheets import write_sheet
from benchmarks.edits.tuning import rate_each
from benchmarks.environment import describe, write_result
from benchmarks.world.captions import caption_naming
from benchmarks.world.drawing import draw
from benchmarks.world.portrait import ATTRIBUTES
from imagic_lora.captions import search as captions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PIL import Image

    from benchmarks.edits.cases import AnotherTarget, Case
    from benchmarks.edits.methods import Bench, Method
    from imagic_lora import Adapter

TARGETS = 5


class FoundOnce(Found):
    """The product where it is fitted for the first prompt, whatever is asked for later."""

    def prepare(self, bench: Bench, case: Case) -> Adapter:
        """Fit the picture."""
        first = cast("AnotherTarget", case).first
        return bench.editor.fit(draw(case.portrait), target=first, settings=self.fitting)


@dataclass(frozen=True)
class Said(ImagicLora):
    """The product where the caption names what it likes, whatever is asked for later.

    Attributes:
        named: The attributes that it names besides the subject.
        kept: Whether an edit keeps those of them that the prompt is silent about; if not, it starts
            at the caption, however little of it the prompt repeats.
    """

    named: tuple[str, ...] = tuple(ATTRIBUTES)
    kept: bool = True

    def prepare(self, bench: Bench, case: Case) -> Adapter:
        """Fit the picture."""
        caption = caption_naming(case.portrait, self.named)
        return bench.editor.fit(draw(case.portrait), source=caption, settings=self.fitting)

    def edit(self, bench: Bench, case: Case, prepared: Adapter, strength: float) -> Image.Image:
        """Edit towards the case's target."""
        kept = captions.says_more if self.kept else lambda *_: False
        with mock.patch.object(captions, "says_more", kept):
            return super().edit(bench, case, prepared, strength)


_HAIR_AND_EARS = ("hair", "ears")

METHODS: Mapping[str, Method] = {
    "a fit for each": Found(),
    "one fit": FoundOnce(),
    "hair and ears captioned": Said(named=_HAIR_AND_EARS),
    "hair and ears captioned, from the caption": Said(named=_HAIR_AND_EARS, kept=False),
    "everything captioned": Said(),
    "everything captioned, from the caption": Said(kept=False),
}


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--portraits", type=int, default=6)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    cases = [
        case
        for portrait in range(options.portraits)
        for case in make_targets("report", portrait, TARGETS)
    ]
    what = Run(BUILD / "reuse", METHODS, tuple(cases))
    rates = rate_each(what, options.processes)
    result = {
        "split": "report",
        "portraits": options.portraits,
        "fits": [{"fits": name, **own} for name, own in rates.items()],
        "environment": describe(),
    }
    print(f"wrote {write_result('reuse', result)}")
    records = [one for one in what.records() if isinstance(METHODS[one["method"]], Said)]
    write_sheet("reuse", records, cases[:TARGETS], what.folder, itemgetter("chosen"))


if __name__ == "__main__":
    main()
