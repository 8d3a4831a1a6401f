"""Markdown tables and the few ways in which figures are written, for every page of the docs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, islice, repeat
from typing import Any

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


Column = Callable[[Any], str]
"""From what is known of a row to a cell."""


def by_name(first: str, members: Mapping[str, Any], columns: Mapping[str, Column]) -> str:
    """Return a table with a row for each of some named things.

    Args:
        first: What the names are.
        members: What is known of each.
        columns: What is shown of it.
    """
    rows = ((name, *(cell(one) for cell in columns.values())) for name, one in members.items())
    return table((first, *columns), rows)


def share(key: str) -> Column:
    """Return the column of a share of 0 to 1, written as `percent` does."""
    return lambda row: percent(row[key])


def number(key: str, digits: int = 0, unit: float = 1) -> Column:
    """Return the column of a number; what is None counts as nothing.

    Args:
        key: Its name in a row.
        digits: Digits after the point.
        unit: What it is given in.
    """
    return lambda row: f"{(row[key] or 0) / unit:.{digits}f}"


def percent(share: float | None, digits: int = 0) -> str:
    """Return a share of 0 to 1 in words; "-" where there is none.

    Args:
        share: The share.
        digits: Digits after the point.
    """
    return "-" if share is None else f"{100 * share:.{digits}f} %"


def versions(environment: Mapping[str, Any], *names: str) -> str:
    """Return which packages a result was measured with, all of them unless some are named."""
    known = environment["versions"]
    return ", ".join(f"{name} {known[name]}" for name in names or known)
