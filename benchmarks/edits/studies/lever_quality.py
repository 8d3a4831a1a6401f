"""What each lever costs in quality: the same fits and edits with and without it.

The same with another seed shows how much two fits differ anyway.
"""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from benchmarks.edits.measuring import Record
from benchmarks.edits.methods import Bench
from benchmarks.edits.methods.imagic import EDIT, FIT, ImagicLora
from benchmarks.edits.rates import mean, means
from benchmarks.edits.scores import brightness, psnr
from benchmarks.edits.study import Run, Study
from imagic_lora import ImagicEditor, MemoryPlan

FLOAT8 = torch.float8_e4m3fn
PLAN = MemoryPlan(torch.device("cpu"), torch.float32)


@dataclass(frozen=True)
class Levered(ImagicLora):
    """The product at alpha 1 under one memory plan.

    Attributes:
        plan: Precision and levers.
        float8: Round the denoiser's weights to 8-bit floats first, as 8-bit storage would.
    """

    strengths: tuple[float, ...] = (1.0,)
    plan: MemoryPlan = PLAN
    float8: bool = False

    def editor(self, bench: Bench) -> ImagicEditor:
        """Return what fits and edits under the plan."""
        return planned(Path(bench.model), self.plan, self.float8)


@cache
def planned(model: Path, plan: MemoryPlan, float8: bool) -> ImagicEditor:  # noqa: FBT001 (part of a key)
    """Return the editor of a plan, loaded once in each process: what is rounded stays so."""
    loaded = ImagicEditor.from_pretrained(model, memory=plan)
    if float8:
        round_to_float8(loaded.model.denoiser)
    return loaded


def round_to_float8(module: torch.nn.Module) -> None:
    """Round the weights that 8-bit storage rounds to e4m3, with a scale for every output channel.

    The numbers are those of such a storage, held in the weights' own precision.
    """
    for path, layer in module.named_modules():
        if path in ("conv_in", "conv_out") or not isinstance(
            layer, (torch.nn.Linear, torch.nn.Conv2d)
        ):
            continue
        weight = layer.weight.data
        rows = weight.abs().amax(dim=tuple(range(1, weight.dim())), keepdim=True)
        scale = (rows / torch.finfo(FLOAT8).max).clamp(min=torch.finfo(weight.dtype).tiny)
        weight.copy_((weight / scale).to(FLOAT8).to(weight.dtype) * scale)


def summary(run: Run) -> dict[str, Any]:
    """Return the figures of each variant: its own means, and its distance from float32.

    Distances are over the cases that the variant has: the mean difference of the fit's loss, and
    the nearness of the pictures in dB (60 where they are equal).
    """
    own = run.by_method()
    plain = {record["case"]: record for record in own["float32"]}
    return {"variants": {name: figures(run, records, plain) for name, records in own.items()}}


def figures(run: Run, records: list[Record], plain: dict[str, Record]) -> dict[str, float]:
    """Return the figures of one variant."""
    pairs = [(record, plain[record["case"]]) for record in records]
    pictures = [[brightness(run.picture(one, 1)) for one in pair] for pair in pairs]
    scores = ("perfect", "edited", "kept", "psnr_ideal", "psnr_outside")
    return {
        "cases": len(records),
        "gap": mean(record["gap"] for record in records),
        **means([record["scores"]["1"] for record in records], scores),
        "gap_difference": mean(abs(one["gap"] - other["gap"]) for one, other in pairs),
        "psnr_to_float32": mean(psnr(one, other) for one, other in pictures),
    }


STUDY = Study(
    name="levers",
    result="lever_quality",
    methods={
        "float32": Levered(),
        "another seed": Levered(fitting=replace(FIT, seed=1), editing=replace(EDIT, seed=1)),
        "checkpointing": Levered(plan=replace(PLAN, checkpointing=True)),
        "streaming": Levered(plan=replace(PLAN, streaming=True)),
        "int8": Levered(plan=replace(PLAN, eight_bit=True)),
        "float8": Levered(float8=True),
        "bfloat16": Levered(plan=replace(PLAN, dtype=torch.bfloat16)),
        "float16": Levered(plan=replace(PLAN, dtype=torch.float16)),
    },
    summary=summary,
    count=20,
    slow=("checkpointing", "streaming"),
    slow_count=4,  # their results must be the same
    whole=True,
)
"""The first is what the others are held against, the second how far apart two fits are anyway."""
