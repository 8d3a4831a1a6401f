"""From the records of finished cases to benchmarks/results/edits.json."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.edits.cases import KINDS
from benchmarks.edits.methods import METHODS
from benchmarks.edits.runner import picture_path
from benchmarks.edits.scores import brightness, distance, psnr, read_share
from benchmarks.environment import describe, write_result
from benchmarks.world.drawing import draw
from imagic_lora.images.reading import open_image

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from PIL import Image

    from benchmarks.edits.cases import Case, Split
    from benchmarks.edits.methods import Bench
    from benchmarks.edits.runner import Record
    from benchmarks.world.judge import Judge

_DIGITS = 4
_COSTS = ("passes_fwd", "passes_fwd_bwd", "seconds_fit", "seconds", "bytes")


def write_report(
    split: Split, records: Sequence[Record], ceiling: dict[str, float], cases: Sequence[Case]
) -> Path:
    """Write the result file and return its path.

    Args:
        split: Which cases were run.
        records: What came of them.
        ceiling: What `find_ceiling` found.
        cases: The cases.
    """
    names = [name for name in METHODS if any(r["method"] == name for r in records)]
    own = {name: [r for r in records if r["method"] == name] for name in names}
    shared = set.intersection(*({r["case"] for r in rows} for rows in own.values()))
    result = {
        "split": split,
        "cases": len(cases),
        "methods": {name: summarise(own[name], METHODS[name].fixed) for name in names},
        "shared": {
            name: summarise([r for r in own[name] if r["case"] in shared], METHODS[name].fixed)
            for name in names
        },
        "curves": {name: curve(own[name]) for name in names},
        "by_kind": {
            kind: {
                name: summarise(rows, METHODS[name].fixed)
                for name in names
                if (rows := [r for r in own[name] if r["kind"] == kind])
            }
            for kind in KINDS
        },
        "ceiling": ceiling,
        "settings": {name: repr(METHODS[name]) for name in names},
        "environment": describe(),
    }
    return write_result("edits", result)


def with_distances(
    judge: Judge, records: Sequence[Record], cases: Sequence[Case], folder: Path
) -> list[Record]:
    """Return records with each picture's distance from the ideal edit, at the one strength.

    Args:
        judge: The judge.
        records: Records of the methods.
        cases: The cases.
        folder: Where the pictures are.
    """
    ideals = {case.name: draw(case.ideal) for case in cases}
    found = []
    for record in records:
        name, case = record["method"], record["case"]
        picture = open_image(picture_path(folder, name, case, METHODS[name].fixed))
        found.append({**record, "distance_ideal": distance(judge, picture, ideals[case])})
    return found


def summarise(records: Sequence[Record], fixed: float) -> dict[str, float | None]:
    """Return the figures of one method; rates are 0 to 1.

    The automatic strength is chosen for every method by the product's rule: the picture that the
    base model finds likeliest under the target.

    Args:
        records: Its records.
        fixed: The one strength that serves all cases.
    """
    at_fixed = [record["scores"][f"{fixed:g}"] for record in records]
    omitting = [
        score
        for record, score in zip(records, at_fixed, strict=True)
        if record["style"] == "omitting"
    ]
    best = [any(score["perfect"] for score in r["scores"].values()) for r in records]
    return {
        "cases": len(records),
        "perfect_auto": mean(r["scores"][r["chosen"]]["perfect"] for r in records),
        "perfect_best": mean(best),
        "perfect_fixed": mean(score["perfect"] for score in at_fixed),
        "perfect_omit": mean(score["perfect"] for score in omitting) if omitting else None,
        "kept": mean(score["kept"] for score in at_fixed),
        "edited": mean(score["edited"] for score in at_fixed),
        "psnr_ideal": mean(score["psnr_ideal"] for score in at_fixed),
        "psnr_outside": mean(score["psnr_outside"] for score in at_fixed),
        "fixed_strength": fixed,
        **{name: mean(record[name] for record in records) for name in ("distance_ideal", *_COSTS)},
    }


def curve(records: Sequence[Record]) -> list[dict[str, float]]:
    """Return success and preservation at each strength of one method."""
    strengths = list(records[0]["scores"])
    figures = ("perfect", "edited", "kept", "psnr_ideal", "psnr_outside")
    return [
        {
            "strength": float(strength),
            **{name: mean(r["scores"][strength][name] for r in records) for name in figures},
        }
        for strength in strengths
    ]


def mean(values: Iterable[float]) -> float:
    """Return the mean of some values."""
    listed = [float(value) for value in values]
    return round(sum(listed) / len(listed), _DIGITS)


def find_ceiling(bench: Bench, cases: Sequence[Case]) -> dict[str, float]:
    """Return what a perfect method would score: the judge and the autoencoder have faults too.

    Args:
        bench: The model and the judge.
        cases: The cases whose ideal edits are judged.
    """
    ideals = [case.ideal for case in cases]
    drawings = [draw(ideal) for ideal in ideals]
    rebuilt = [bench.rebuilt(drawing) for drawing in drawings]
    inputs = [draw(case.portrait) for case in cases]
    pairs = zip(drawings, inputs, strict=True)
    return {
        "judge_on_ideal": read_share(bench.judge, ideals, drawings),
        "judge_on_reconstructed_ideal": read_share(bench.judge, ideals, rebuilt),
        "psnr_reconstructed_ideal": mean_psnr(drawings, rebuilt),
        "psnr_unedited_to_ideal": mean_psnr(drawings, inputs),
        "distance_unedited_to_ideal": mean(distance(bench.judge, *pair) for pair in pairs),
    }


def mean_psnr(first: Sequence[Image.Image], second: Sequence[Image.Image]) -> float:
    """Return the mean nearness of pairs of pictures, in dB."""
    pairs = zip(first, second, strict=True)
    values = [psnr(brightness(one), brightness(other)) for one, other in pairs]
    return round(sum(values) / len(values), 2)
