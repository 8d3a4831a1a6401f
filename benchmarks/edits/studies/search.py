"""What each part of the recipe does: the product with one setting changed at a time."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from benchmarks.edits.methods.imagic import EDIT, FIT, ImagicLora
from benchmarks.edits.rates import rate_each
from benchmarks.edits.study import Run, Study

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
    "every step is made": ImagicLora(fitting=replace(FIT, outweigh=0.0)),
    "no fidelity": ImagicLora(editing=replace(EDIT, fidelity=0.0)),
    "no focus": ImagicLora(editing=replace(EDIT, focus=0.0)),
    "twice the focus": ImagicLora(editing=replace(EDIT, focus=2.0)),
}
"""The product as it is, and with one thing changed."""


def summary(run: Run) -> dict[str, Any]:
    """Return how good each variant is."""
    return {"variants": rate_each(run, "variant")}


STUDY = Study(
    name="search",
    result="edits_search",
    methods=VARIANTS,
    summary=summary,
    split="tune",
    count=8,
)
