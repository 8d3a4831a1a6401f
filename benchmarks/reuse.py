"""One fit for five prompts against a fit for each: `python -m benchmarks.reuse [--portraits N]`.

Every portrait of the `report` split is edited by five prompts of different kinds. Where no caption
is given, a fit's own is found in the prompt that it is made for: the one fit has that of the first
prompt, whatever it is edited towards. Where all of the picture is in its caption, most prompts are
silent about most of it. Can be stopped and taken up again. Writes benchmarks/results/reuse.json.
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, cast
from unittest import mock

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread in each of the processes

from benchmarks.edits.cases import make_targets
from benchmarks.edits.methods.imagic import Found, ImagicLora
from benchmarks.edits.runner import BUILD, Run
from benchmarks.edits.tuning import rate_each
from benchmarks.environment import describe, write_result
from benchmarks.world.captions import full_caption
from benchmarks.world.drawing import draw
from imagic_lora import captions

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


class AllSaid(ImagicLora):
    """The product where the caption says all that the picture shows."""

    def prepare(self, bench: Bench, case: Case) -> Adapter:
        """Fit the picture."""
        caption = full_caption(case.portrait)
        return bench.editor.fit(draw(case.portrait), source=caption, settings=self.fitting)


class FromCaption(AllSaid):
    """The same, but every edit starts at the caption, however little of it the prompt repeats."""

    def edit(self, bench: Bench, case: Case, prepared: Adapter, strength: float) -> Image.Image:
        """Edit towards the case's target."""
        with mock.patch.object(captions, "says_more", return_value=False):
            return super().edit(bench, case, prepared, strength)


METHODS: Mapping[str, Method] = {
    "a fit for each": Found(),
    "one fit": FoundOnce(),
    "one fit, everything in its caption": AllSaid(),
    "the same, edits start at the caption": FromCaption(),
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
    rates = rate_each(Run(BUILD / "reuse", METHODS, tuple(cases)), options.processes)
    result = {
        "split": "report",
        "portraits": options.portraits,
        "fits": [{"fits": name, **own} for name, own in rates.items()],
        "environment": describe(),
    }
    print(f"wrote {write_result('reuse', result)}")


if __name__ == "__main__":
    main()
