"""A field benchmark as a suite of `benchmarks.edits`: methods, runs and pictures are as there."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from PIL import Image

from benchmarks.edits.suite import Case, Scores, Split
from benchmarks.field.catalogue import BENCHMARKS, Benchmark
from benchmarks.field.items import Item
from imagic_lora.images.canvas import canvas
from imagic_lora.images.pixels import difference
from imagic_lora.images.reading import open_image

_MULTIPLE = 64
"""What the sides of canvases are multiples of, in pixels, where the model's own is not smaller."""


@dataclass(frozen=True)
class FieldSuite:
    """Items of a benchmark, with the model that edits them.

    Attributes:
        name: Name of the benchmark.
        items: The items, in the order in which a run takes them.
        model: Pipeline folder of the model.
        side: Side of the squares that the model was trained on, in pixels: every method gets each
            picture at about this area, scaled by Lanczos.
    """

    name: str
    items: tuple[Item, ...]
    model: Path
    side: int = 512

    @property
    def benchmark(self) -> Benchmark:
        """The benchmark."""
        return BENCHMARKS[self.name]

    @property
    def kinds(self) -> Sequence[str]:
        """The kinds of edits."""
        return self.benchmark.kinds

    def cases(self, split: Split, count: int) -> Sequence[Case]:
        """Return the first cases; there is one split, `report`.

        Raises:
            ValueError: When another is asked for.
        """
        if split != "report":
            raise ValueError(f"{self.name} has no split {split!r}; allowed: report")
        return [self._case(item) for item in self.items[:count]]

    def _case(self, item: Item) -> Case:
        picture = open_image(item.picture)
        size = canvas(picture.size, native=self.side, multiple=min(_MULTIPLE, self.side // 8))
        scaled = picture.resize(size, Image.Resampling.LANCZOS)
        return Case(item.name, item.kind, "", item.source or "", item.target, scaled)

    def score(self, picture: Image.Image, case: Case) -> Scores:  # noqa: ARG002 (a stage of its own)
        """Return nothing: scores are a stage of their own, with models of their own."""
        return {}

    def distance(self, first: Image.Image, second: Image.Image) -> float:
        """Return the root mean square difference of two pictures, of brightness 0 to 1."""
        return difference(first, second)


def spread(items: Sequence[Item], kinds: Sequence[str], count: int | None) -> tuple[Item, ...]:
    """Return so many items, evenly over the kinds, in turn; all in their order where none is said.

    Args:
        items: The items.
        kinds: The kinds.
        count: How many; None is all.
    """
    if count is None:
        return tuple(items)
    of_kind = [[item for item in items if item.kind == kind] for kind in kinds]
    turns = zip_longest(*of_kind)
    return tuple([item for turn in turns for item in turn if item is not None][:count])
