"""Contact sheets: rows of labelled pictures, for people to look at.

Small pictures are enlarged by whole factors, so that what a model drew is seen as it is. Knows
nothing of what the pictures show.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

SMALLEST = 192
"""Side, in pixels, that a small picture's longer side is enlarged towards, by a whole factor."""

LARGEST = 384
"""Side, in pixels, that a large picture's longer side is scaled down to."""

_BACKGROUND = "#f7f6f3"
_FRAME = "#d9d6cf"
_TITLE_INK = "#1f1e1b"
_LABEL_INK = "#57544d"
_MARGIN = 28
_GAP = 14
_TITLE_SIZE = 17
_TITLE_HEIGHT = 32
_LABEL_SIZE = 14
_LABEL_HEIGHT = 19
_LABEL_SPACE = 8
_LABEL_LINES = 2


@dataclass(frozen=True)
class Cell:
    """One picture and the text beneath it.

    Attributes:
        image: The picture.
        label: What to write beneath it; wrapped, and shortened beyond two lines.
    """

    image: Image.Image
    label: str = ""


def sheet(rows: Sequence[Sequence[Cell]], *, titles: Sequence[str] = ()) -> Image.Image:
    """Draw rows of labelled pictures on a light page.

    Args:
        rows: The rows, from top to bottom, of cells from left to right; none is empty.
        titles: What to write above each row; one for each row, or none at all.

    Returns:
        An RGB image that holds all of them.
    """
    pictures = [[_readable(cell.image) for cell in row] for row in rows]
    column = max(picture.width for line in pictures for picture in line)
    blocks = [
        _draw_row([(picture, cell.label) for picture, cell in zip(line, row, strict=True)], column)
        for line, row in zip(pictures, rows, strict=True)
    ]
    if titles:
        blocks = [_under(title, block) for title, block in zip(titles, blocks, strict=True)]
    return _stack(blocks)


def _readable(image: Image.Image) -> Image.Image:
    """Enlarge a small picture by a whole factor, or scale down a large one."""
    rgb = image.convert("RGB")
    longest = max(rgb.size)
    if longest > LARGEST:
        size = tuple(max(1, round(side * LARGEST / longest)) for side in rgb.size)
        return rgb.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    factor = max(1, SMALLEST // longest)
    return rgb.resize((rgb.width * factor, rgb.height * factor), Image.Resampling.NEAREST)


def _draw_row(cells: Sequence[tuple[Image.Image, str]], column: int) -> Image.Image:
    """Draw one row: framed pictures on one base line, a centred label beneath each."""
    font = _font(_LABEL_SIZE)
    labels = [_wrap(label, font, column) for _, label in cells]
    tallest = max(picture.height for picture, _ in cells)
    lines = max(len(label) for label in labels)
    below = _LABEL_SPACE + lines * _LABEL_HEIGHT if lines else 0
    block = _blank(len(cells) * (column + _GAP) - _GAP, tallest + below)
    draw = ImageDraw.Draw(block)
    for index, ((picture, _), label) in enumerate(zip(cells, labels, strict=True)):
        left = index * (column + _GAP) + (column - picture.width) // 2
        block.paste(picture, (left, tallest - picture.height))
        right, bottom = left + picture.width - 1, tallest - 1
        draw.rectangle((left, tallest - picture.height, right, bottom), outline=_FRAME)
        for number, line in enumerate(label):
            middle = index * (column + _GAP) + column / 2
            top = tallest + _LABEL_SPACE + number * _LABEL_HEIGHT
            draw.text((middle, top), line, _LABEL_INK, font, anchor="ma")
    return block


def _under(title: str, block: Image.Image) -> Image.Image:
    """Put a title above a row."""
    font = _font(_TITLE_SIZE)
    text = _shorten(title, font, block.width)
    titled = _blank(block.width, block.height + _TITLE_HEIGHT)
    ImageDraw.Draw(titled).text((0, 0), text, _TITLE_INK, font)
    titled.paste(block, (0, _TITLE_HEIGHT))
    return titled


def _stack(blocks: Sequence[Image.Image]) -> Image.Image:
    """Put the rows beneath each other, with even margins around them."""
    width = max(block.width for block in blocks) + 2 * _MARGIN
    height = sum(block.height + _MARGIN for block in blocks) + _MARGIN
    page = _blank(width, height)
    top = _MARGIN
    for block in blocks:
        page.paste(block, (_MARGIN, top))
        top += block.height + _MARGIN
    return page


def _blank(width: int, height: int) -> Image.Image:
    """Return an empty piece of the page."""
    return Image.new("RGB", (width, height), _BACKGROUND)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font that Pillow brings along."""
    return ImageFont.load_default(size)


def _wrap(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """Break a text into lines that fit a width, the last of them shortened if need be."""
    lines: list[str] = []
    words = text.split()
    while words and len(lines) < _LABEL_LINES - 1:
        taken = 1
        while taken < len(words) and font.getlength(" ".join(words[: taken + 1])) <= width:
            taken += 1
        lines.append(_shorten(" ".join(words[:taken]), font, width))
        words = words[taken:]
    return [*lines, _shorten(" ".join(words), font, width)] if words else lines


def _shorten(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """Cut a text, marked by dots, so that it fits a width."""
    if font.getlength(text) <= width:
        return text
    kept = text
    while kept and font.getlength(kept + "...") > width:
        kept = kept[:-1]
    return kept.rstrip() + "..."
