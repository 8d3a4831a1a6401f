"""Contact sheets: pictures of the world to look at, beside the figures."""

from collections.abc import Sequence
from itertools import chain

from PIL import Image
from torch import Tensor

from benchmarks.world.captions import phrase
from benchmarks.world.drawing import draw
from benchmarks.world.photograph import Look
from benchmarks.world.portrait import ATTRIBUTES, Portrait, held_out_portrait
from imagic_lora.images.pixels import to_images
from imagic_lora.images.sheet import Cell, sheet

COLUMNS = 8


def page(cells: Sequence[Cell]) -> Image.Image:
    """Return pictures in rows, each with its label beneath."""
    return sheet([cells[i : i + COLUMNS] for i in range(0, len(cells), COLUMNS)])


def values_sheet(look: Look | None = None) -> Image.Image:
    """One portrait with each attribute changed to each of its values in turn."""
    base = Portrait(
        hair="blue", ears="cat", clothes="yellow", background="sunset", eyes="green", look=look
    )
    changes = [(name, value) for name, values in ATTRIBUTES.items() for value in values]
    return page(
        [Cell(draw(base.replace(**{name: value})), phrase(name, value)) for name, value in changes]
    )


def drawings_sheet(count: int = 40, *, photographed: bool = False) -> Image.Image:
    """Held-out portraits as they come."""
    portraits = (held_out_portrait(index, photographed=photographed) for index in range(count))
    return page([Cell(draw(portrait)) for portrait in portraits])


def reconstructions_sheet(drawings: Sequence[Image.Image], outputs: Tensor) -> Image.Image:
    """Drawings, each followed by what the autoencoder makes of it."""
    pairs = zip(drawings, to_images(outputs), strict=True)
    cells = ((Cell(one, "drawing"), Cell(other, "reconstruction")) for one, other in pairs)
    return page(list(chain.from_iterable(cells)))


def prompts_sheet(pictures: Tensor, prompts: Sequence[str]) -> Image.Image:
    """What came of prompts."""
    pairs = zip(to_images(pictures), prompts, strict=True)
    return page([Cell(picture, prompt) for picture, prompt in pairs])
