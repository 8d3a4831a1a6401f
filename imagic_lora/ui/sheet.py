"""The sheet of small pictures as HTML: strengths across, seeds down; and the slider through a row.

What they do when they are touched is in `looking.js`; whatever comes from outside is escaped.
"""

from collections.abc import Iterator, Sequence
from html import escape

from imagic_lora.editing.spacing import AlphaRange
from imagic_lora.ui import markup
from imagic_lora.ui.history import PastRun
from imagic_lora.ui.jobs.edit import SweepState
from imagic_lora.ui.jobs.pictures import SavedEdit

_BLANK, _TO_COME = "<i></i>", '<span class="to-come"></span>'

_Alphas = Sequence[float | None]
"""Strengths; those that are not found yet are None."""

_Row = tuple[int, _Alphas]
"""A seed, and the strengths of its pictures."""


def contact(state: SweepState, chosen: int) -> str:
    """Return all pictures of a sweep: a row for each seed, its strengths above it.

    Args:
        state: How far the sweep is.
        chosen: Which of those made is in large; -1 for none.
    """
    rows = list(_rows(state))
    columns = max(len(row[1]) for row in rows)
    parts = []
    for number, row in enumerate(rows):
        if number == 0 or not state.sweep.alphas:
            known = bool(state.made or state.sweep.alphas)
            parts.append(_headings(row[1] if known else (), columns))
        parts.append(_cells(state, row, chosen))
        parts.append(_BLANK * (columns - len(row[1])))
    return (
        f'<div class="scroll"><div class="sheet" style="--columns:{columns}" role="group" '
        f'aria-label="Strengths across, seeds down">{"".join(parts)}</div></div>'
    )


def through(state: SweepState, shown: SavedEdit) -> str:
    """Return a slider through the strengths that were made of a seed."""
    row = sorted(each.alpha for each in state.made if each.seed == shown.seed)
    if len(row) < 2:
        return ""
    return (
        f'<label class="through"><span>{row[0]:g}</span><input type="range" min="0" '
        f'max="{len(row) - 1}" step="1" value="{row.index(shown.alpha)}" '
        f'aria-label="Strengths that were made" aria-valuetext="{escape(shown.label)}">'
        f"<span>{row[-1]:g}</span></label>"
    )


def runs(past: Sequence[PastRun], chosen: str) -> str:
    """Return runs that were made, to choose from.

    Args:
        past: The runs.
        chosen: Name of the one that is chosen, or "".
    """
    buttons = "".join(
        f'<button type="button" class="past" data-run="{escape(run.name)}" '
        f'aria-pressed="{str(run.name == chosen).lower()}">'
        f'<img src="{markup.address(run.small)}" alt=""><span>{escape(run.recipe.target)}</span>'
        f"<small>{run.when:%Y-%m-%d %H:%M}</small></button>"
        for run in past
    )
    return f'<div class="runs" role="group" aria-label="Runs, newest first">{buttons}</div>'


def facts(saved: SavedEdit) -> str:
    """Return what made a picture, in a line."""
    pairs = markup.settings_facts(saved.picture.record()["settings"])
    return " · ".join(f"{name} {value}" for name, value in pairs)


def name(saved: SavedEdit) -> str:
    """Return what a picture is, in words."""
    return escape(f"{saved.picture.target}, {saved.caption}")


def _rows(state: SweepState) -> Iterator[_Row]:
    """Yield the rows that were begun, or the first one."""
    sweep, columns = state.sweep, _columns(state)
    for seed in sweep.seeds:
        made = [each.alpha for each in state.made if each.seed == seed]
        if made or (not state.made and seed == sweep.seeds[0]):
            yield seed, columns or made or [0.0]


def _columns(state: SweepState) -> _Alphas:
    """Return the strengths that all rows share; none where each seed has its own."""
    alphas = state.sweep.alphas
    if not isinstance(alphas, AlphaRange):
        return alphas
    found = sorted({each.alpha for each in state.made})
    return [*found, *[None] * (len(alphas) - len(found))]


def _headings(alphas: _Alphas, columns: int) -> str:
    """Return strengths above their columns."""
    texts = ("" if alpha is None else f"{alpha:g}" for alpha in alphas)
    cells = "".join(f'<span class="head">{text}</span>' for text in texts)
    return f'<span class="corner">seed</span>{cells}{_BLANK * (columns - len(alphas))}'


def _cells(state: SweepState, row: _Row, chosen: int) -> str:
    """Return the pictures of a row; a place where one is to come, or none came, is empty."""
    seed, alphas = row
    made = {each.alpha: (i, each) for i, each in enumerate(state.made) if each.seed == seed}
    empty = _BLANK if state.files else _TO_COME
    found = [None if alpha is None else made.get(alpha) for alpha in alphas]
    cells = [empty if each is None else _thumb(*each, each[0] == chosen) for each in found]
    return f'<span class="side">{seed}</span>{"".join(cells)}'


def _thumb(index: int, saved: SavedEdit, chosen: bool) -> str:  # noqa: FBT001
    """Return a small picture that is shown in large when it is pressed."""
    return (
        f'<button type="button" class="thumb" aria-label="{name(saved)}" '
        f'aria-pressed="{str(chosen).lower()}" tabindex="{0 if chosen else -1}" '
        f'data-index="{index}" data-src="{markup.address(saved.path)}" '
        f'data-file="{escape(saved.path.name)}" data-title="{escape(saved.label)}" '
        f'data-caption="{escape(saved.caption)}" data-alpha="{saved.alpha!r}" '
        f'data-seed="{saved.seed}" data-facts="{escape(facts(saved))}">'
        f'<img src="{markup.address(saved.path)}" alt=""></button>'
    )
