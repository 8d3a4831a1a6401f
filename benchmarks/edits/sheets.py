"""Pictures of the results to look at: contact sheets and the curve over strengths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from PIL import Image

from benchmarks.edits.methods import METHODS
from benchmarks.edits.report import curve
from benchmarks.edits.runner import picture_path
from benchmarks.environment import RESULTS
from benchmarks.world.drawing import draw
from imagic_lora.images.sheet import Cell, sheet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmarks.edits.cases import Case
    from benchmarks.edits.runner import Record

ROWS = 6
"""Cases on a sheet."""


def write_sheets(records: Sequence[Record], cases: Sequence[Case], folder: Path) -> None:
    """Write the sheets of cases as they come, and of the first method's best and worst.

    Args:
        records: What came of the run, in the order of the methods.
        cases: The cases.
        folder: Where the pictures of the run are.
    """
    leader = records[0]["method"]
    fixed = f"{METHODS[leader].fixed:g}"
    scores = {r["case"]: r["scores"][fixed] for r in records if r["method"] == leader}
    rated = [case for case in cases if case.name in scores]
    # A perfect edit goes before any other, and a nearer one before one further from the ideal.
    rated.sort(key=lambda c: (scores[c.name]["perfect"], scores[c.name]["psnr_ideal"]))
    count = min(ROWS, max(1, len(rated) // 2))
    chosen = {"random": cases[:ROWS], "best": rated[::-1][:count], "worst": rated[:count]}
    for name, these in chosen.items():
        write_sheet(f"edits-{name}", records, these, folder, _fixed)


def _fixed(record: Record) -> str:
    """Return the one strength that serves all cases of a record's method."""
    return f"{METHODS[record['method']].fixed:g}"


def write_sheet(
    name: str,
    records: Sequence[Record],
    cases: Sequence[Case],
    folder: Path,
    strength: Callable[[Record], str],
) -> None:
    """Write a sheet with a row for each case: the input, the ideal edit, then every method.

    Args:
        name: Name of the file, without its ending.
        records: What came of the run, in the order of the methods.
        cases: The cases.
        folder: Where the pictures of the run are.
        strength: Says at which of its strengths a record is shown.
    """
    rows = [_row(records, case, folder, strength) for case in cases]
    page = sheet(rows, titles=[f"{case.target}  ({case.name})" for case in cases])
    # A palette of 256 colours keeps the sheets small in the repository.
    page.quantize(256).save(RESULTS / f"{name}.png", optimize=True)


def _row(
    records: Sequence[Record], case: Case, folder: Path, strength: Callable[[Record], str]
) -> list[Cell]:
    """Return the pictures of one case."""
    cells = [Cell(draw(case.portrait), "input"), Cell(draw(case.ideal), "ideal edit")]
    for record in records:
        if record["case"] == case.name:
            name, shown = record["method"], strength(record)
            path = picture_path(folder, name, case.name, float(shown))
            cells.append(Cell(Image.open(path), f"{name} {_verdict(record['scores'][shown])}"))
    return cells


def _verdict(score: dict[str, object]) -> str:
    """Return in a word what the judge says."""
    if score["perfect"]:
        return "(perfect)"
    return "(kept too little)" if score["edited"] else "(not edited)"


def write_curves(records: Sequence[Record]) -> None:
    """Write the plot of success against preservation, a line for each method.

    Args:
        records: What came of the run.
    """
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for name in METHODS:
        own = [record for record in records if record["method"] == name]
        if own:
            points = curve(own)
            kept, edited = ([point[axis] for point in points] for axis in ("kept", "edited"))
            axes.plot(kept, edited, marker="o", label=name, linewidth=2 if not axes.lines else 1)
            axes.annotate(f"{points[-1]['strength']:g}", (kept[-1], edited[-1]))
    axes.set(
        xlabel="share of the other attributes kept",
        ylabel="share of edits that show what was asked for",
        title="Success and preservation over strengths (the strongest is numbered)",
    )
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(RESULTS / "edits-curves.png", dpi=110)
