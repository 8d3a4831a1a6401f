"""What each part of the recipe does: `python -m benchmarks.edits.search [--cases N]`.

The product with one setting changed at a time, on the same cases of the `tune`
split. Can be stopped and taken up again. Writes benchmarks/results/edits_search.json.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread in each of the processes

from benchmarks.edits.cases import make_cases
from benchmarks.edits.methods.imagic import EDIT, FIT, ImagicLora
from benchmarks.edits.runner import BUILD, Run
from benchmarks.edits.tuning import rate_each
from benchmarks.environment import describe, write_result

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIANTS: Mapping[str, ImagicLora] = {
    "the defaults": ImagicLora(),
    "8 noise levels a step, half the steps": ImagicLora(
        fitting=replace(FIT, batch=2 * FIT.batch, steps=FIT.steps // 2)
    ),
    "half the steps": ImagicLora(fitting=replace(FIT, steps=FIT.steps // 2)),
    "twice the steps": ImagicLora(fitting=replace(FIT, steps=2 * FIT.steps)),
    "LoRA's rate halved": ImagicLora(fitting=replace(FIT, lora_lr=FIT.lora_lr / 2)),
    "LoRA's rate doubled": ImagicLora(fitting=replace(FIT, lora_lr=2 * FIT.lora_lr)),
    "embedding held": ImagicLora(fitting=replace(FIT, embedding_lr=0.0)),
    "embedding's rate tripled": ImagicLora(fitting=replace(FIT, embedding_lr=3 * FIT.embedding_lr)),
    "stop at a third of the loss": ImagicLora(fitting=replace(FIT, stop_at=1 / 3)),
    "no fidelity": ImagicLora(editing=replace(EDIT, fidelity=0.0)),
    "no focus": ImagicLora(editing=replace(EDIT, focus=0.0)),
    "twice the focus": ImagicLora(editing=replace(EDIT, focus=2.0)),
}
"""The product as it is, and with one thing changed."""


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=8)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    cases = make_cases("tune", options.cases)
    rates = rate_each(Run(BUILD / "search", VARIANTS, tuple(cases)), options.processes)
    variants = [{"variant": name, **found} for name, found in rates.items()]
    result = {"split": "tune", "variants": variants, "environment": describe()}
    print(f"wrote {write_result('edits_search', result)}")


if __name__ == "__main__":
    main()
