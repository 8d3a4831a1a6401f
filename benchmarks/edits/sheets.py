"""Contact sheets of a run: the input and the ideal edit beside what every method made of it."""

from collections.abc import Callable, Sequence

from benchmarks.edits.measuring import Record
from benchmarks.edits.study import Run
from benchmarks.environment import RESULTS
from imagic_lora.bench.made import Made
from imagic_lora.bench.sheets import draw


def write_sheet(
    name: str,
    run: Run,
    records: Sequence[Record],
    cases: Sequence[str],
    strength: Callable[[Record], str],
) -> None:
    """Write a sheet with a row for each case: the input, the ideal edit, then every method.

    Args:
        name: Name of the file, without its ending.
        run: The run.
        records: Those of its records that are shown, in the order of the methods.
        cases: Names of the cases that are shown.
        strength: Says at which of its strengths a record is shown.
    """
    items = {case.name: case for case in run.cases}
    made = [
        (
            Made(record["method"], items[record["case"]], run.path(record, strength(record))),
            f"{record['method']} {_verdict(record['scores'][strength(record)])}",
        )
        for record in records
    ]
    # A palette of 256 colours keeps the sheets small in the repository.
    page = draw(cases, made, "input").quantize(256)
    page.save(RESULTS / f"{name}.png", optimize=True)


def _verdict(score: dict[str, object]) -> str:
    """Return in a word what the judge says."""
    if score["perfect"]:
        return "(perfect)"
    return "(kept too little)" if score["edited"] else "(not edited)"
