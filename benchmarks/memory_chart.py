"""Draws what each lever leaves of the memory that a whole job needs: docs/images/memory.png.

    python -m benchmarks.memory_chart

The figures are those that plans are made from; nothing is counted here.
"""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from imagic_lora.memory import Footprint, footprints
from imagic_lora.memory.ladder import LADDER

CHART = Path(__file__).resolve().parents[1] / "docs" / "images" / "memory.png"


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


def draw() -> Figure:
    """Return the chart: a panel for each model that was counted."""
    models = footprints().values()
    figure = Figure(figsize=(4 * len(models), 3), layout="constrained")
    panels = figure.subplots(1, len(models), sharey=True, squeeze=False)[0]
    for axes, found in zip(panels, models, strict=True):
        draw_model(axes, found)
    panels[0].invert_yaxis()  # of all panels: they share it
    return figure


if __name__ == "__main__":
    CHART.parent.mkdir(parents=True, exist_ok=True)
    draw().savefig(CHART, dpi=80)
    print(f"wrote {CHART}")
