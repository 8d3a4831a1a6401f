"""Contact sheets of a run: the input and the ideal edit beside what every method made of it."""

from collections.abc import Callable, Sequence

from benchmarks.edits.study import Record, Run
from benchmarks.edits.suite import Case
from benchmarks.environment import RESULTS
from imagic_lora.images.sheet import Cell, sheet


def write_sheet(
    name: str,
    run: Run,
    records: Sequence[Record],
    cases: Sequence[Case],
    strength: Callable[[Record], str],
) -> None:
    """Write a sheet with a row for each case: the input, the ideal edit, then every method.

    Args:
        name: Name of the file, without its ending.
        run: The run.
        records: Those of its records that are shown, in the order of the methods.
        cases: The cases that are shown.
        strength: Says at which of its strengths a record is shown.
    """
    rows = [
        _inputs(case) + [_cell(run, r, strength(r)) for r in records if r["case"] == case.name]
        for case in cases
    ]
    page = sheet(rows, titles=[f"{case.target}  ({case.name})" for case in cases])
    # A palette of 256 colours keeps the sheets small in the repository.
    page.quantize(256).save(RESULTS / f"{name}.png", optimize=True)


def _inputs(case: Case) -> list[Cell]:
    """Return the input of a case, and the ideal edit where it is known."""
    ideal = [] if case.ideal is None else [Cell(case.ideal, "ideal edit")]
    return [Cell(case.image, "input"), *ideal]


def _cell(run: Run, record: Record, strength: str) -> Cell:
    """Return what a method made of a case."""
    verdict = _verdict(record["scores"][strength])
    return Cell(run.picture(record, strength), f"{record['method']} {verdict}")


def _verdict(score: dict[str, object]) -> str:
    """Return in a word what the judge says."""
    if score["perfect"]:
        return "(perfect)"
    return "(kept too little)" if score["edited"] else "(not edited)"
