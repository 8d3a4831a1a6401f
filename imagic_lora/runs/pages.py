"""Sheets of a run: each input with the edits of it in a row, a page after another."""

from collections.abc import Iterator, Sequence
from importlib.metadata import version

from imagic_lora.images.png import save_png
from imagic_lora.images.reading import open_image
from imagic_lora.images.sheet import Cell, sheet
from imagic_lora.runs.events import Outcome
from imagic_lora.runs.folder import Folder
from imagic_lora.runs.report import RunReport
from imagic_lora.runs.rows import Row

_PER_PAGE = 20
"""Most rows of pictures on a page."""

_ACROSS = 6
"""Most edits beside an input; further ones go into a row of their own."""


def draw(folder: Folder, rows: Sequence[Row], report: RunReport) -> None:
    """Draw the pictures that are done, page by page.

    Args:
        folder: Where they are, and the pages go.
        rows: The rows.
        report: How they ended.
    """
    done = {each.id: each for each in report.outcomes if each.status == "ok"}
    fits: dict[str, list[Row]] = {}
    for row in rows:
        if row.id in done:
            fits.setdefault(row.fit_key, []).append(row)
    lines = [line for fit in fits.values() for line in _lines(fit)]
    for page, start in enumerate(range(0, len(lines), _PER_PAGE), start=1):
        shown = lines[start : start + _PER_PAGE]
        drawn = sheet(
            [list(_cells(folder, line, done)) for line in shown],
            titles=[line[0].source or line[0].image.name for line in shown],
        )
        record = {"kind": "Pages", "version": version("imagic-lora"), "page": page}
        save_png(drawn, folder.sheet(page), record, force=True)


def _lines(rows: list[Row]) -> Iterator[list[Row]]:
    """Yield the edits of one fit, in rows that a page has room for."""
    return (rows[start : start + _ACROSS] for start in range(0, len(rows), _ACROSS))


def _cells(folder: Folder, line: Sequence[Row], done: dict[str, Outcome]) -> Iterator[Cell]:
    """Yield the input and its edits."""
    yield Cell(line[0].image.open(open_image), "input")
    for row in line:
        alpha = done[row.id].alpha
        strength = "" if alpha is None else f" ({alpha:g})"
        yield Cell(open_image(folder.path / row.picture), f"{row.target}{strength}")
