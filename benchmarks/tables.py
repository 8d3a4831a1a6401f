"""The few ways in which figures are written in tables, for every page of the docs."""

from collections.abc import Callable, Mapping
from typing import Any

from imagic_lora.bench.tables import table

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
