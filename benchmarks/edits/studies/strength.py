"""How an edit grows with its strength, kind by kind.

Every case is fitted once and edited from alpha 0 to 2 in even steps; again at alpha 1 under a
rising structure lock.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from benchmarks.edits.measuring import Record
from benchmarks.edits.methods import Bench
from benchmarks.edits.methods.imagic import ImagicLora
from benchmarks.edits.rates import curve, mean
from benchmarks.edits.scores import brightness, psnr
from benchmarks.edits.study import Run, Study
from benchmarks.environment import RESULTS
from imagic_lora.bench.items import Item
from imagic_lora.bench.rivals.plain import Autoencoder
from imagic_lora.editing.edits import Edits
from imagic_lora.images.reading import open_image

ALPHAS = tuple(step / 4 for step in range(9))
LOCKS = (0.0, 0.1, 0.2, 0.4, 0.6)


@dataclass(frozen=True)
class Locked(ImagicLora):
    """The product at alpha 1; the strength is the structure lock."""

    def edit(self, bench: Bench, case: Item, prepared: Edits, strength: float) -> Image.Image:  # noqa: ARG002 (the edits have all)
        """Make the edit, nearer to the input's layout the stronger it is locked."""
        locked = replace(self.editing, structure_lock=strength)
        return self.editor(bench).edits(prepared.requests, settings=locked).at([1.0])[0].image


def difference(first: Image.Image, second: Image.Image) -> float:
    """Return the root mean square difference of two pictures' brightness, 0 to 255."""
    return float(np.sqrt(np.mean((brightness(first) - brightness(second)) ** 2)))


def growth(run: Run, records: Sequence[Record]) -> dict[str, list[dict[str, float]]]:
    """Return, for each kind of edit and for all, what happens at each alpha."""
    found = {}
    for kind in ("all", *run.study.suite.kinds):
        own = [record for record in records if kind in ("all", record["kind"])]
        if own:
            points = curve(own)
            found[kind] = [{**one, "change": _change(run, own, one["strength"])} for one in points]
    return found


def _change(run: Run, records: Sequence[Record], alpha: float) -> float:
    """Return how much pictures change at an alpha, as a share of the ideal edit's change."""
    pictures = {
        case.name: (open_image(case.picture), open_image(str(case.ideal))) for case in run.cases
    }

    def share(record: Record) -> float:
        before, ideal = pictures[record["case"]]
        return difference(run.picture(record, alpha), before) / difference(ideal, before)

    return mean(map(share, records))


def at_zero(run: Run, records: Sequence[Record]) -> dict[str, float]:
    """Return how near alpha 0 and the autoencoder alone are to the input, in dB."""
    rebuild = Autoencoder().open(run.bench)

    def nearness(pictures: Iterable[Image.Image]) -> float:
        pairs = zip(pictures, inputs, strict=True)
        return mean((psnr(brightness(one), brightness(other)) for one, other in pairs), digits=2)

    inputs = [open_image(case.picture) for case in run.cases]
    return {
        "psnr": nearness(run.picture(record, 0) for record in records),
        "psnr_autoencoder": nearness(map(rebuild, inputs, run.cases)),
    }


def summary(run: Run) -> dict[str, Any]:
    """Return what alpha and the structure lock do."""
    alpha, locked = run.by_method().values()
    layout = [record for record in locked if record["kind"] == "layout"]
    return {
        "cases": len(run.cases),
        "alpha": growth(run, alpha),
        "alpha_zero": at_zero(run, alpha),
        "structure_lock": curve(locked),
        "structure_lock_layout": curve(layout) if layout else [],
    }


def plot(growing: Mapping[str, Sequence[Mapping[str, float]]], path: Path) -> None:
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
    figure.savefig(path, dpi=100)


STUDY = Study(
    name="strength",
    result="strength",
    methods={
        "alpha": ImagicLora(strengths=ALPHAS),
        "structure_lock": Locked(strengths=LOCKS, fixed=0.0),
    },
    summary=summary,
    whole=True,
    pictures=lambda run, result: plot(result["alpha"], RESULTS / f"{run.study.result}.png"),
)
