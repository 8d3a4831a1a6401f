"""Sheets of cases to look at beside every table: the best, the worst, and some at random."""

import random
from collections.abc import Sequence

from PIL import Image

from imagic_lora.bench.choices import UNCHANGED
from imagic_lora.bench.columns import COLUMNS
from imagic_lora.bench.made import Made
from imagic_lora.bench.metrics.base import Pair, Scores
from imagic_lora.images.reading import open_image
from imagic_lora.images.sheet import Cell, sheet

ROWS = 6
"""Cases on a sheet."""


def choose(scored: Sequence[tuple[str, Scores]], score: str) -> dict[str, list[str]]:
    """Return the names of the items of each sheet.

    Args:
        scored: Items of one row with their scores.
        score: The score that they are ranked by.
    """
    column = COLUMNS[score]
    known = [(name, value) for name, s in scored if (value := s.get(score)) is not None]
    ranked = [name for name, _ in sorted(known, key=lambda one: one[1], reverse=column.higher)]
    count = min(ROWS, max(1, len(ranked) // 2))
    names = [name for name, _ in scored]
    drawn = random.Random(0).sample(names, min(ROWS, len(names)))  # noqa: S311  no secret
    return {"best": ranked[:count], "worst": ranked[::-1][:count], "random": drawn}


def draw(names: Sequence[str], made: Sequence[tuple[Made, Scores]], score: str) -> Image.Image:
    """Return a sheet: a case a row, the input and then what every other row of the table made of it.

    Args:
        names: The items, at least one.
        made: All pictures with their scores.
        score: The score that is written beneath each.
    """
    rows, titles = [], []
    for name in names:
        of_item = [(one, scores) for one, scores in made if one.item.name == name]
        item = of_item[0][0].item
        cells = [
            Cell(_scored(one), _label(one, scores, score))
            for one, scores in of_item
            if one.row != UNCHANGED
        ]
        first = Cell(open_image(item.picture), f"input; beside it {COLUMNS[score].heading}")
        rows.append([first, *cells])
        titles.append(f"{item.target}  ({name})")
    return sheet(rows, titles=titles)


def _scored(made: Made) -> Image.Image:
    """Return a picture as it is scored: at the size of the input."""
    return Pair.of(made.item, open_image(made.path)).after


def _label(made: Made, scores: Scores, name: str) -> str:
    column, value = COLUMNS[name], scores.get(name)
    if value is None:
        return made.row
    return f"{made.row}: {column.unit * value:.{column.digits}f}"
