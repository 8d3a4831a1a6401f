"""Sheets of cases to look at beside every table: the best, the worst, and some at random."""

import random
from collections.abc import Sequence
from typing import Any

from PIL import Image

from imagic_lora.bench.choices import UNCHANGED
from imagic_lora.bench.made import Made
from imagic_lora.bench.metrics.base import Pair
from imagic_lora.images.reading import open_image
from imagic_lora.images.sheet import Cell, sheet

ROWS = 6
"""Cases on a sheet."""


def choose(ranks: Sequence[tuple[str, Any]], *, higher: bool = True) -> dict[str, list[str]]:
    """Return the names of the items of each sheet.

    Args:
        ranks: Items with what they are ranked by; None is not ranked.
        higher: Whether more is better.
    """
    known = [(name, value) for name, value in ranks if value is not None]
    ranked = [name for name, _ in sorted(known, key=lambda one: one[1], reverse=higher)]
    count = min(ROWS, max(1, len(ranked) // 2))
    names = [name for name, _ in ranks]
    drawn = random.Random(0).sample(names, min(ROWS, len(names)))  # noqa: S311  no secret
    return {"best": ranked[:count], "worst": ranked[::-1][:count], "random": drawn}


def draw(names: Sequence[str], made: Sequence[tuple[Made, str]], first: str) -> Image.Image:
    """Return a sheet: a case a row, the input and then what every other row of the table made of it.

    The ideal edit is beside the input, where it is known.

    Args:
        names: The items, at least one.
        made: All pictures, with what is written beneath each.
        first: What is written beneath the input.
    """
    rows, titles = [], []
    for name in names:
        of_item = [(one, label) for one, label in made if one.item.name == name]
        item = of_item[0][0].item
        ideal = [] if item.ideal is None else [Cell(open_image(item.ideal), "ideal edit")]
        cells = [Cell(_scored(one), label) for one, label in of_item if one.row != UNCHANGED]
        rows.append([Cell(open_image(item.picture), first), *ideal, *cells])
        titles.append(f"{item.target}  ({name})")
    return sheet(rows, titles=titles)


def _scored(made: Made) -> Image.Image:
    """Return a picture as it is scored: at the size of the input."""
    return Pair.of(made.item, open_image(made.path)).after
