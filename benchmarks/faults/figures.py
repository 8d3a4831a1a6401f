"""What the campaigns against faults found, as a table of the docs."""

from collections.abc import Mapping
from typing import Any

from benchmarks.tables import versions
from imagic_lora.bench.tables import table

_HEADER = ("campaign", "tried", "refused", "accepted", "right", "faults", "slowest", "most memory")


def table_of(result: Mapping[str, Any]) -> str:
    """Return a row for each campaign, and what they were run on.

    Args:
        result: The result file.
    """
    rows = [_row(name, found) for name, found in result["campaigns"].items()]
    environment = result["environment"]
    where = f"{environment['device']}, {environment['cores']} cores that other work was done on too"
    return f"{table(_HEADER, rows)}\n\n{where}; {versions(environment)}."


def _row(name: str, found: Mapping[str, Any]) -> tuple[str, ...]:
    """Return one campaign's figures; what it does not count is a dash."""
    counts = found["counts"]
    figures = [str(counts.get(key, "-")) for key in ("tried", "refused", "accepted", "right")]
    loads = "accepted" in counts
    return (
        name,
        *figures,
        str(counts.get("faults", 0)),
        f"{found['slowest']:.1f} s" if loads else "-",
        f"{found['largest'] / 1e6:.0f} MB" if loads else "-",
    )
