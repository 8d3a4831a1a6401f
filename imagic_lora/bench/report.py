"""The last stage: scores and costs by row, as numbers and as a page; beside them what others print."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from imagic_lora.bench.columns import COLUMNS, Columns
from imagic_lora.bench.intervals import Mean
from imagic_lora.bench.items import Item
from imagic_lora.bench.metrics.base import Scores
from imagic_lora.bench.published import PUBLISHED, Published
from imagic_lora.bench.tables import table
from imagic_lora.runs.events import Outcome

_HOW = (
    "Each cell is the mean, its 95 % interval by drawing items again, and of how many items it is: "
    "where a mask leaves nothing to compare, an item has no score. Every row has one setting for all "
    "items; 'auto' is the strength that the product finds without any score. Where the benchmark has "
    "masks, PSNR, SSIM, MSE and LPIPS are of what should stay; else of the whole picture."
)

Costs = Mapping[str, Mapping[str, Any]]
"""What an item takes by row: figures by their names, None for what is not known."""

_COSTS: Mapping[str, tuple[str, float, int]] = MappingProxyType(
    {
        "fits": ("fits", 1, 0),
        "fit_seconds": ("seconds a fit", 1, 1),
        "fit_forward": ("forward a fit", 1, 1),
        "fit_forward_backward": ("forward and backward a fit", 1, 1),
        "edits": ("edits", 1, 0),
        "edit_seconds": ("seconds an edit", 1, 1),
        "edit_forward": ("forward an edit", 1, 1),
        "peak_bytes": ("peak, MB", 1e6, 0),
    }
)
"""Titles of the figures, their units and digits after the point."""

Table = Mapping[str, Mapping[str, Mean]]
"""Means by row and score."""


@dataclass(frozen=True)
class Scored:
    """What one picture is worth.

    Attributes:
        row: Row of the table.
        item: The item.
        scores: Its scores.
    """

    row: str
    item: Item
    scores: Scores


def means(scored: Iterable[Scored]) -> dict[str, dict[str, Mean]]:
    """Return the means of each row; a score that an item does not have is left out of its mean."""
    values: dict[str, dict[str, list[float]]] = {}
    for one in scored:
        row = values.setdefault(one.row, {})
        for name, value in one.scores.items():
            if value is not None:
                row.setdefault(name, []).append(value)
    return {
        row: {name: Mean.of(listed) for name, listed in scores.items()}
        for row, scores in values.items()
    }


def by_kind(scored: Sequence[Scored], kinds: Sequence[str], name: str) -> dict[str, Any]:
    """Return the means of one score by row and kind.

    Args:
        scored: All that was scored.
        kinds: The kinds of edits.
        name: The score.
    """
    rows = dict.fromkeys(one.row for one in scored)
    return {
        row: {
            kind: means(o for o in scored if o.row == row and o.item.kind == kind)
            .get(row, {})
            .get(name)
            for kind in kinds
        }
        for row in rows
    }


def costs(outcomes: Sequence[Outcome]) -> Costs:
    """Return what an item takes by row: its fit apart from its edit, and the peak of memory.

    What goes through the denoiser is counted in samples, forward alone or forward and backward. A fit
    that several rows and items share is counted once. The peak is the GPU's; on a CPU it is that of
    the process, whatever it did before.

    Args:
        outcomes: How pictures ended.
    """
    done = [one for one in outcomes if one.status == "ok"]
    found = {}
    for row in dict.fromkeys(str(one.notes["row"]) for one in done):
        mine = [one for one in done if one.notes["row"] == row]
        fits = [*{one.adapter: one for one in mine if one.fit_seconds is not None}.values()]
        found[row] = {
            "fits": len({one.adapter for one in mine if one.adapter}),
            "fit_seconds": _mean(one.fit_seconds for one in fits),
            "fit_forward": _mean(one.fit_forward for one in fits),
            "fit_forward_backward": _mean(one.fit_forward_backward for one in fits),
            "edits": len(mine),
            "edit_seconds": _mean(one.seconds for one in mine),
            "edit_forward": _mean(one.forward for one in mine),
            "peak_bytes": max((one.peak_bytes or 0 for one in mine), default=0),
        }
    return found


def _mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of what is known; None where nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def page(
    names: tuple[str, str],
    counts: tuple[int, int],
    scored: Sequence[Scored],
    outcomes: Sequence[Outcome],
    kinds: Sequence[str],
    remarks: Sequence[str] = (),
    columns: Columns = COLUMNS,
) -> str:
    """Return the whole report as Markdown.

    Args:
        names: What people call the benchmark, and its name.
        counts: Items that were taken, and items that there are.
        scored: All that was scored.
        outcomes: How the pictures of methods ended.
        kinds: The kinds of edits.
        remarks: Sentences on where the data came from, who judged, and what edited.
        columns: How scores are written, in the order of tables.
    """
    (title, name), (taken, whole) = names, counts
    leading = leading_score(scored, columns)
    heading = columns[leading].heading
    cases = ", ".join(f"[{each}](sheet-{each}.png)" for each in ("best", "worst", "random"))
    parts = [
        f"# {title}",
        " ".join((f"{taken} of {whole} items.", *remarks, _HOW)),
        scores_table(means(scored), columns),
        f"Cases by {heading} of '{scored[0].row}': {cases}.",
    ]
    if failed := [one for one in outcomes if one.status != "ok"]:
        parts += ["## What failed", failures_table(failed)]
    if outcomes:
        parts += ["## What an item takes", costs_table(costs(outcomes))]
    if len(kinds) > 1:
        parts += [f"## {heading} by kind", kinds_table(scored, kinds, leading, columns)]
    if others := PUBLISHED.get(name):
        parts += ["## Published by others", *(published(one, taken) for one in others)]
    return "\n\n".join(parts) + "\n"


def failures_table(failed: Sequence[Outcome]) -> str:
    """Return a table of what failed, and why."""
    rows = ((str(o.notes["row"]), str(o.notes["item"]), o.brief) for o in failed)
    return table(("row", "item", "why"), rows, "l")


def leading_score(scored: Iterable[Scored], columns: Columns = COLUMNS) -> str:
    """Return the score that says best whether the edit was made, of those that there are.

    Args:
        scored: All that was scored.
        columns: How scores are written; the first that is none of the package's goes before all.
    """
    known = {name for one in scored for name in one.scores}
    asked = ("judged", "imgedit", "vie_overall")
    own = [name for name in columns if name not in COLUMNS]
    order = (*own, *asked, "clip_direction", "clip_edited", "clip", "clip_b16", *columns)
    return next(name for name in order if name in known)


def scores_table(found: Table, columns: Columns = COLUMNS) -> str:
    """Return a table with a row for each method and a column for each score."""
    known = {name for scores in found.values() for name in scores}
    columns = {name: column for name, column in columns.items() if name in known}
    rows = (
        (row, *(column.cell(scores.get(name)) for name, column in columns.items()))
        for row, scores in found.items()
    )
    return table(("row", *(column.heading for column in columns.values())), rows)


def kinds_table(
    scored: Sequence[Scored], kinds: Sequence[str], name: str, columns: Columns = COLUMNS
) -> str:
    """Return a table with a row for each method and a column for each kind of edit."""
    column = columns[name]
    rows = (
        (row, *(column.cell(found[kind]) for kind in kinds))
        for row, found in by_kind(scored, kinds, name).items()
    )
    return table(("row", *kinds), rows)


def costs_table(found: Costs) -> str:
    """Return a table of what an item takes."""
    rows = (
        (
            row,
            *(
                "-" if took[name] is None else f"{took[name] / unit:.{digits}f}"
                for name, (_, unit, digits) in _COSTS.items()
            ),
        )
        for row, took in found.items()
    )
    return table(("row", *(title for title, _, _ in _COSTS.values())), rows)


def published(one: Published, taken: int) -> str:
    """Return a table of others, and whether it may be read beside ours.

    Args:
        one: The table.
        taken: How many items were taken.
    """
    if one.items is None:
        verdict = one.reason
    elif taken < one.items:
        verdict = f"no: {taken} of {one.items} items were edited; else {one.reason}"
    else:
        verdict = f"yes, for rows with {one.reason}"
    rows = table(("method", *one.columns), one.rows)
    return f"{one.source}. Comparable: {verdict}.\n\n{rows}"


def as_json(found: Table) -> dict[str, Any]:
    """Return means as plain values."""
    return {row: {name: asdict(m) for name, m in scores.items()} for row, scores in found.items()}
