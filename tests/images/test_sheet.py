import numpy as np
import pytest
from PIL import Image

from imagic_lora.images.sheet import LARGEST, SMALLEST, Cell, sheet

RED = (255, 0, 0)
BLUE = (0, 0, 255)


def _plain(width: int = 64, height: int = 64, colour: tuple[int, int, int] = RED) -> Image.Image:
    """Return a picture of one colour."""
    return Image.new("RGB", (width, height), colour)


def _box(page: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Return where on a page a colour is: left, top, right and bottom, the last two exclusive."""
    rows, columns = np.nonzero((np.asarray(page) == colour).all(axis=-1))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def _ink(page: Image.Image) -> int:
    """Return how many colours a page has: text adds many shades."""
    return len(page.getcolors(1 << 24) or [])


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((64, 64), (192, 192)),
        ((64, 48), (192, 144)),
        ((100, 80), (100, 80)),
        ((300, 200), (300, 200)),
        ((768, 384), (384, 192)),
    ],
)
def test_pictures_are_shown_at_a_readable_size(
    size: tuple[int, int], shown: tuple[int, int]
) -> None:
    """Small ones grow by whole factors, large ones shrink, the shape stays; a frame is 1 pixel."""
    left, top, right, bottom = _box(sheet([[Cell(_plain(*size))]]), RED)

    assert shown == (right - left + 2, bottom - top + 2)
    assert max(shown) <= LARGEST
    assert SMALLEST < 2 * max(shown)


def test_enlarging_invents_no_colours() -> None:
    """A small picture's pixels become squares, so that what was drawn is seen as it is."""
    checks = Image.new("RGB", (64, 64), RED)
    checks.putpixel((31, 31), BLUE)

    page = sheet([[Cell(checks)]])

    left, top, right, bottom = _box(page, BLUE)
    assert (3, 3) == (right - left, bottom - top)
    assert 4 == _ink(page)


def test_the_margins_are_even() -> None:
    """A page without text has the same margin on all four sides."""
    page = sheet([[Cell(_plain()), Cell(_plain())], [Cell(_plain()), Cell(_plain())]])

    left, top, right, bottom = _box(page, RED)

    assert {left} == {top, page.width - right, page.height - bottom}


def test_rows_may_differ_in_length() -> None:
    """A short row is left-aligned and leaves the rest of its line empty."""
    page = sheet([[Cell(_plain()), Cell(_plain()), Cell(_plain())], [Cell(_plain(colour=BLUE))]])

    assert _box(page, RED)[0] == _box(page, BLUE)[0]
    assert _box(page, RED)[3] < _box(page, BLUE)[1]
    assert _box(page, RED)[2] > _box(page, BLUE)[2]


def test_labels_and_titles_are_written() -> None:
    """A label adds text beneath its picture, a title text above it."""
    bare = sheet([[Cell(_plain())]])
    labelled = sheet([[Cell(_plain(), "alpha 0.90")]])
    titled = sheet([[Cell(_plain())]], titles=["imagic_lora: alpha"])

    assert _ink(bare) < min(_ink(labelled), _ink(titled))
    assert _box(bare, RED) == _box(labelled, RED)
    assert _box(bare, RED)[1] < _box(titled, RED)[1]


def test_long_texts_change_neither_width_nor_grow_beyond_two_lines() -> None:
    """A label is wrapped once and then shortened; a title is shortened; one long word is too."""
    long = (
        "a girl with a flower in her hair, glasses, a red hat and a very wide smile, at dusk " * 3
    )
    two = sheet([[Cell(_plain(), "a girl with a flower, glasses and a hat")]], titles=["short"])

    assert two.size == sheet([[Cell(_plain(), long)]], titles=[long]).size
    assert two.width == sheet([[Cell(_plain(), "x" * 200)]]).width


def test_each_row_has_its_own_title() -> None:
    """Titles are given for all rows or for none."""
    with pytest.raises(ValueError, match="argument 2 is longer"):
        sheet([[Cell(_plain())], [Cell(_plain())]], titles=["only one"])


def test_any_mode_of_picture_is_shown() -> None:
    """A grey picture sits on the page as well as a coloured one."""
    page = sheet([[Cell(Image.new("L", (64, 64), 7))]])

    assert (7, 7, 7) == page.getpixel((page.width // 2, page.height // 2))
