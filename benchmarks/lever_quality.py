"""What each lever costs in quality: fits and edits of the drawn world with and without it.

    python -m benchmarks.lever_quality [--cases N] [--processes N]

Every case is fitted and edited under every variant; the same with another seed shows how much two
fits differ anyway. Given again, the command goes on where it was stopped. Writes
benchmarks/results/lever_quality.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread in each of the processes

import torch

from benchmarks.edits.cases import make_case
from benchmarks.edits.scores import brightness, psnr, score
from benchmarks.environment import describe, write_result
from benchmarks.world.drawing import draw
from benchmarks.world.judge import load_judge
from benchmarks.world.pipeline import MODEL, REPOSITORY
from imagic_lora import EditSettings, FitSettings, ImagicEditor, MemoryPlan
from imagic_lora.images.reading import open_image

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BUILD = REPOSITORY / "build" / "lever_quality"
FLOAT8 = torch.float8_e4m3fn
PLAN = MemoryPlan(torch.device("cpu"), torch.float32)

Record = dict[str, Any]
"""One variant on one case: the fit's loss, the edit's scores."""


@dataclass(frozen=True)
class Variant:
    """A way to run the same fits and edits.

    Attributes:
        plan: Precision and levers.
        seed: Seed of fit and edit.
        float8: Round the denoiser's weights to 8-bit floats first, as 8-bit storage would.
        cases: Most cases that it needs: few where results must be the same.
    """

    plan: MemoryPlan = PLAN
    seed: int = 0
    float8: bool = False
    cases: int = 1_000


VARIANTS = {
    "float32": Variant(),
    "another seed": Variant(seed=1),
    "checkpointing": Variant(replace(PLAN, checkpointing=True), cases=4),
    "streaming": Variant(replace(PLAN, streaming=True), cases=4),
    "int8": Variant(replace(PLAN, eight_bit=True)),
    "float8": Variant(float8=True),
    "bfloat16": Variant(replace(PLAN, dtype=torch.bfloat16)),
    "float16": Variant(replace(PLAN, dtype=torch.float16)),
}
"""The first is what the others are held against, the second how far apart two fits are anyway."""


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


@cache
def editor(name: str, model: Path) -> ImagicEditor:
    """Return a variant's editor."""
    variant = VARIANTS[name]
    loaded = ImagicEditor.from_pretrained(model, memory=variant.plan)
    if variant.float8:
        round_to_float8(loaded.model.denoiser)
    return loaded


def measure(name: str, index: int, model: Path, folder: Path, settings: FitSettings) -> Record:
    """Fit and edit one case under one variant, and keep the picture.

    Args:
        name: Name of the variant.
        index: Number of the case.
        model: Pipeline folder of the model.
        folder: Where pictures go.
        settings: How to fit.
    """
    case, seed = make_case("report", index), VARIANTS[name].seed
    own = editor(name, model)
    adapter = own.fit(
        draw(case.portrait),
        target=case.target,
        source=case.source,
        settings=replace(settings, seed=seed),
    )
    edit = own.edit(adapter, settings=EditSettings(seed=seed))
    edit.save(folder / f"{name}-{index}.png", force=True)
    found = asdict(score(load_judge(), case, edit.image))
    return {"variant": name, "case": index, "gap": adapter.record.gap, **found}


def run(jobs: Sequence[tuple[str, int]], folder: Path, processes: int) -> list[Record]:
    """Do what is not yet done, and return all records."""
    log = folder / "records.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    lines = log.read_text().splitlines() if log.exists() else []
    done = {(line["variant"], line["case"]): line for line in map(json.loads, lines)}
    todo = [job for job in jobs if job not in done]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        work = [(*job, MODEL, folder, FitSettings()) for job in todo]
        for record in pool.imap_unordered(_measure, work):
            with log.open("a") as file:
                file.write(json.dumps(record) + "\n")
            done[record["variant"], record["case"]] = record
            print(f"{len(done)}/{len(jobs)} {record['variant']} {record['case']}", flush=True)
    return [done[job] for job in jobs]


def _measure(job: tuple[str, int, Path, Path, FitSettings]) -> Record:
    return measure(*job)


def summarise(records: Sequence[Record], folder: Path) -> dict[str, dict[str, float]]:
    """Return the figures of each variant: its own means, and its distance from float32.

    Distances are over the cases that the variant has: the mean difference of the fit's loss, and
    the nearness of the pictures in dB (60 where they are equal).
    """
    plain = {record["case"]: record for record in records if record["variant"] == "float32"}
    return {
        name: figures([one for one in records if one["variant"] == name], plain, folder)
        for name in VARIANTS
    }


def figures(records: Sequence[Record], plain: dict[int, Record], folder: Path) -> dict[str, float]:
    """Return the figures of one variant."""
    names = ("gap", "perfect", "edited", "kept", "psnr_ideal", "psnr_outside")
    pairs = [(record, plain[record["case"]]) for record in records]
    pictures = [
        [brightness(open_image(folder / f"{one['variant']}-{one['case']}.png")) for one in pair]
        for pair in pairs
    ]
    return {
        "cases": len(records),
        **{name: _mean([record[name] for record in records]) for name in names},
        "gap_difference": _mean([abs(one["gap"] - other["gap"]) for one, other in pairs]),
        "psnr_to_float32": _mean([psnr(one, other) for one, other in pictures]),
    }


def _mean(values: Sequence[float]) -> float:
    return round(sum(map(float, values)) / len(values), 4)


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20, help="cases of each variant")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    # Case by case, so that a run that is stopped has all variants on the same cases.
    indices = range(options.cases)
    jobs = [(name, i) for i in indices for name, variant in VARIANTS.items() if i < variant.cases]
    # Of another model, nothing may be mixed in.
    weights = sorted((MODEL / "unet").glob("*.safetensors"))
    model = hashlib.sha256(b"".join(path.read_bytes() for path in weights)).hexdigest()[:16]
    records = run(jobs, BUILD / model, options.processes)
    variants = summarise(records, BUILD / model)
    result = {"split": "report", "variants": variants, "environment": describe()}
    print(f"wrote {write_result('lever_quality', result)}")


if __name__ == "__main__":
    main()
