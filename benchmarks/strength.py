"""How an edit grows with its strength, kind by kind: `python -m benchmarks.strength [--cases N]`.

Every case of the `report` split is fitted once and edited from alpha 0 to 2 in even steps; again at
alpha 1 under a rising structure lock. Can be stopped and taken up again. Writes
benchmarks/results/strength.json and its plot.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread in each of the processes

import numpy as np
from matplotlib.figure import Figure

from benchmarks.edits.cases import KINDS, make_cases
from benchmarks.edits.methods import Bench
from benchmarks.edits.methods.imagic import ImagicLora
from benchmarks.edits.report import curve, mean, mean_psnr
from benchmarks.edits.runner import BUILD, Run, picture_path, run
from benchmarks.edits.scores import brightness
from benchmarks.environment import RESULTS, describe, write_result
from benchmarks.world.drawing import draw
from benchmarks.world.judge import WEIGHTS
from benchmarks.world.pipeline import MODEL
from imagic_lora.images.reading import open_image

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from PIL import Image

    from benchmarks.edits.cases import Case
    from benchmarks.edits.runner import Record
    from imagic_lora import Adapter

PLOT = RESULTS / "strength.png"
ALPHAS = tuple(step / 4 for step in range(9))
LOCKS = (0.0, 0.1, 0.2, 0.4, 0.6)


@dataclass(frozen=True)
class Locked(ImagicLora):
    """The product at alpha 1; the strength is the structure lock."""

    def edit(self, bench: Bench, case: Case, prepared: Adapter, strength: float) -> Image.Image:
        """Edit towards the case's target, nearer to the input's layout the stronger it is."""
        locked = replace(self, editing=replace(self.editing, structure_lock=strength))
        return ImagicLora.edit(locked, bench, case, prepared, 1.0)


METHODS: Mapping[str, ImagicLora] = {
    "alpha": ImagicLora(strengths=ALPHAS),
    "structure_lock": Locked(strengths=LOCKS, fixed=0.0),
}


def distance(first: Image.Image, second: Image.Image) -> float:
    """Return the root mean square difference of two pictures' brightness, 0 to 255."""
    return float(np.sqrt(np.mean((brightness(first) - brightness(second)) ** 2)))


def changes(cases: Sequence[Case], folder: Path) -> list[float]:
    """Return how much the pictures change at each alpha, as a share of the ideal edit's change."""
    return [mean(_change(case, folder, alpha) for case in cases) for alpha in ALPHAS]


def _change(case: Case, folder: Path, alpha: float) -> float:
    before = draw(case.portrait)
    picture = open_image(picture_path(folder, "alpha", case.name, alpha))
    return distance(picture, before) / distance(draw(case.ideal), before)


def growth(
    records: Sequence[Record], cases: Sequence[Case], folder: Path
) -> dict[str, list[dict[str, float]]]:
    """Return, for each kind of edit and for all, what happens at each alpha."""
    found = {}
    for kind in ("all", *KINDS):
        these = [case for case in cases if kind in ("all", case.kind)]
        own = [record for record in records if kind in ("all", record["kind"])]
        if own:
            pairs = zip(curve(own), changes(these, folder), strict=True)
            found[kind] = [{**point, "change": change} for point, change in pairs]
    return found


def at_zero(bench: Bench, cases: Sequence[Case], folder: Path) -> dict[str, float]:
    """Return how near alpha 0 and the autoencoder alone are to the input, in dB."""
    inputs = [draw(case.portrait) for case in cases]
    zero = [open_image(picture_path(folder, "alpha", case.name, 0)) for case in cases]
    return {
        "psnr": mean_psnr(zero, inputs),
        "psnr_autoencoder": mean_psnr([bench.rebuilt(image) for image in inputs], inputs),
    }


def plot(growing: Mapping[str, Sequence[Mapping[str, float]]]) -> None:
    """Draw what happens at each alpha, a panel for each kind of edit."""
    kinds = [kind for kind in growing if kind != "all"]
    figure = Figure(figsize=(10, 5), layout="constrained")
    axes = figure.subplots(2, 4, sharex=True, sharey=True).flat
    lines = {"change": "change, of the ideal edit's", "edited": "edited", "kept": "others kept"}
    for axis, kind in zip(axes, kinds, strict=False):
        for name, label in lines.items():
            points = [(point["strength"], point[name]) for point in growing[kind]]
            axis.plot(*zip(*points, strict=True), marker=".", label=label)
        axis.set_title(kind, fontsize=10)
        axis.grid(alpha=0.3)
        axis.set_ylim(-0.05, 1.6)
    figure.supxlabel("alpha")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    figure.savefig(PLOT, dpi=100)


def summarise(records: Sequence[Record], cases: Sequence[Case], bench: Bench, folder: Path) -> Any:
    """Return the content of the result file but for the environment."""
    own = {name: [r for r in records if r["method"] == name] for name in METHODS}
    layout = [record for record in own["structure_lock"] if record["kind"] == "layout"]
    return {
        "split": "report",
        "cases": len(cases),
        "alpha": growth(own["alpha"], cases, folder),
        "alpha_zero": at_zero(bench, cases, folder),
        "structure_lock": curve(own["structure_lock"]),
        "structure_lock_layout": curve(layout) if layout else [],
    }


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=24, help="24 have every kind three times")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    cases, folder = make_cases("report", options.cases), BUILD / "strength"
    records = run(Run(folder, METHODS, tuple(cases)), options.processes)
    result = summarise(records, cases, Bench.load(MODEL, WEIGHTS), folder)
    path = write_result("strength", {**result, "environment": describe()})
    plot(result["alpha"])
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
