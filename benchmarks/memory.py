"""Count what every phase needs at every rung of the ladder, for the models that are known by name.

    python -m benchmarks.memory [MODEL ...]

Nothing is loaded and no GPU is used: the real code runs at true sizes on tensors without data. The
figures go to benchmarks/results/memory.json, and to the table that plans are made from. A figure
that is there already is kept, so a run that was stopped goes on where it was; name a model to count
it anew. In the end what each lever leaves is drawn: docs/images/memory.png.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import imagic_lora.memory
from benchmarks.environment import RESULTS, describe, write_result
from imagic_lora.memory import Footprint, MemoryPlan
from imagic_lora.memory.ladder import LADDER, PHASES, Phase
from imagic_lora.models.blueprint import BLUEPRINTS
from imagic_lora.planning.counted import count
from imagic_lora.settings import FitSettings

RESULT = RESULTS / "memory.json"
CHART = RESULTS.parents[1] / "docs" / "images" / "memory.png"
TABLE = Path(imagic_lora.memory.__file__).parent / "footprints.json"

_ABREAST = 3
"""Panels of the chart that stand side by side."""


def rungs(phase: Phase) -> list[int]:
    """Return the rungs at which a phase changes: the first, and those whose lever acts on it."""
    return [0, *(index for index, lever in enumerate(LADDER, 1) if phase in lever.slower)]


def missing(known: dict[str, Any]) -> list[tuple[Phase, int]]:
    """Return the phases and rungs of one model that have no figure yet."""
    return [(p, rung) for p in PHASES for rung in rungs(p) if str(rung) not in known.get(p, {})]


def shared(known: dict[str, Any]) -> dict[str, Any]:
    """Return the figures that stay where a text encoder is left out: all but where prompts are read."""
    return {phase: dict(found) for phase, found in known.items() if phase != "text encode"}


def filled(known: dict[str, Any]) -> dict[Phase, list[int]]:
    """Return a figure for every rung: that of the last rung at which the phase changed."""
    ladder = range(len(LADDER) + 1)
    return {
        phase: [known[phase][str(max(r for r in rungs(phase) if r <= rung))] for rung in ladder]
        for phase in PHASES
    }


def main(models: Sequence[str]) -> None:
    """Count what is missing, writing each figure as it lands; then draw the chart."""
    counted = json.loads(RESULT.read_text("utf-8"))["counted"] if RESULT.exists() else {}
    for name in models:
        for variant in BLUEPRINTS[name].variants():
            counted.pop(variant.name, None)
    for name, blueprint in BLUEPRINTS.items():
        for variant in blueprint.variants():
            known = counted.setdefault(
                variant.name, {} if variant is blueprint else shared(counted[name])
            )
            for phase, rung in missing(known):
                plan = MemoryPlan(torch.device("cpu"), torch.bfloat16).climb(LADDER[:rung])
                found = count(variant, plan, (phase,))[phase]
                print(f"{variant.name} {phase} {rung}: {found / 2**30:.3f} GiB", flush=True)
                known.setdefault(phase, {})[str(rung)] = found
                write(counted)
    footprints = [Footprint(name, filled(known)) for name, known in sorted(counted.items())]
    draw(footprints).savefig(CHART, dpi=80)


def write(counted: dict[str, Any]) -> None:
    """Write the result, and the table of the models that are complete."""
    settings = {"rank": FitSettings().rank, "weights": "bfloat16", "levers": _names()}
    write_result("memory", {**describe(), "settings": settings, "counted": counted})
    table = {name: filled(known) for name, known in sorted(counted.items()) if not missing(known)}
    TABLE.write_text(json.dumps(table, indent=1) + "\n", "utf-8")


def draw_model(axes: Axes, found: Footprint) -> None:
    """Draw the bars of one model.

    Args:
        axes: What to draw on.
        found: What the model needs.
    """
    names = ["no lever", *(f"+ {lever.name}" for lever in LADDER)]
    needed = [found.peak(rung) / 1e9 for rung in range(len(names))]
    bars = axes.barh(names, needed, color="#4c72b0")
    axes.bar_label(bars, labels=[f"{size:.1f}" for size in needed], padding=3)
    axes.set_title(found.model)
    axes.set_xlabel("GB for the whole job, predicted")
    axes.set_xlim(0, 1.15 * max(needed))
    axes.spines[["top", "right"]].set_visible(False)


def draw(models: Sequence[Footprint]) -> Figure:
    """Return the chart: a panel for each model that was counted, a few side by side."""
    columns = min(len(models), _ABREAST)
    rows = -(-len(models) // columns)
    figure = Figure(figsize=(4 * columns, 3 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for axes, found in zip(panels.flat, models, strict=False):
        draw_model(axes, found)
    for axes in panels.flat[len(models) :]:
        axes.set_visible(False)
    panels[0, 0].invert_yaxis()  # of all panels: they share it
    return figure


def _names() -> list[str]:
    return [lever.name for lever in LADDER]


if __name__ == "__main__":
    main(sys.argv[1:])
