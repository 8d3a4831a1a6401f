"""What a caption is worth, and one that is found: `python -m benchmarks.captions [--cases N]`.

The same fits and edits with the caption that was written for the picture, with the part of the
target that the base model finds in it, and from the empty prompt. Can be stopped and taken up
again. Writes benchmarks/results/captions.json.
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread in each of the processes

from benchmarks.edits.cases import make_cases
from benchmarks.edits.methods import Bench
from benchmarks.edits.methods.imagic import Found, ImagicLora
from benchmarks.edits.runner import BUILD, Run
from benchmarks.edits.tuning import rate_each
from benchmarks.environment import describe, write_result
from benchmarks.world.drawing import draw
from benchmarks.world.judge import WEIGHTS
from benchmarks.world.pipeline import MODEL

if TYPE_CHECKING:
    from collections.abc import Mapping


METHODS: Mapping[str, ImagicLora] = {
    "written": ImagicLora(),
    "found in the target": Found(),
    "none": ImagicLora(captioned=False),
}


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=24)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    cases = make_cases("report", options.cases)
    rates = rate_each(Run(BUILD / "captions", METHODS, tuple(cases)), options.processes)
    editor = Bench.load(MODEL, WEIGHTS).editor
    found = [
        {
            "case": case.name,
            "written": case.source,
            "target": case.target,
            "found": editor.caption(draw(case.portrait), case.target),
        }
        for case in cases
    ]
    result = {
        "split": "report",
        "captions": [{"caption": name, **own} for name, own in rates.items()],
        "found": found,
        "environment": describe(),
    }
    print(f"wrote {write_result('captions', result)}")


if __name__ == "__main__":
    main()
