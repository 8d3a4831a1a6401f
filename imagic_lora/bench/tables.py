"""Markdown tables."""

from collections.abc import Iterable, Sequence
from itertools import chain, islice, repeat

_SIDES = {"l": "---", "r": "--:"}


def table(header: Iterable[str], rows: Iterable[Sequence[str]], sides: str = "r") -> str:
    """Return a Markdown table.

    Args:
        header: Names of the columns.
        rows: Cells of each row.
        sides: For each column but the first whether it is set to the left or the right, "l" or "r";
            the last letter is that of the columns that are left.
    """
    names = list(header)
    rest = chain(sides, repeat(sides[-1]))
    rule = ["---", *islice((_SIDES[side] for side in rest), len(names) - 1)]
    return "\n".join([_line(names), "| " + " | ".join(rule) + " |", *map(_line, rows)])


def _line(cells: Iterable[str]) -> str:
    """Return one row, in which nothing ends a cell too early."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
