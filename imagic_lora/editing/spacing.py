"""Strengths spaced by visible change, found while the edits are made."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise

from imagic_lora.editing.edits import Edits
from imagic_lora.editing.picture import Edit
from imagic_lora.errors import SettingsError
from imagic_lora.images.pixels import difference
from imagic_lora.settings import ALPHA, Option

_COUNT = Option("how many strengths", kind=int, low=2)

_FINEST = 0.02
"""Strengths that are nearer to each other are parted only where all are so near."""

_NEAREST = 0.001
"""How near strengths may lie on average: they are rounded to a tenth of it."""


@dataclass(frozen=True, kw_only=True)
class AlphaRange:
    """Strengths between two, spaced so that the picture changes about as much from each to the next.

    Small things grow with the strength, large areas switch within a small part of it, and where that
    is depends on the picture. So strengths at even distances show some edits at their beginning and
    at their end only. These are found on the way, and no more edits are made than are shown.

    Attributes:
        low: The smallest.
        high: The largest.
        count: How many, at least 2.

    Raises:
        SettingsError: When a value is out of its range, or so many do not fit between the two.
    """

    low: float = 0.0
    high: float = 1.6
    count: int = 6

    def __post_init__(self) -> None:
        ALPHA.check("low", self.low)
        ALPHA.check("high", self.high)
        _COUNT.check("count", self.count)
        if self.high - self.low < _NEAREST * self.count:
            raise SettingsError(
                f"{self.count} strengths were asked for from {self.low:g} to {self.high:g}, which "
                "lie too near to each other, or the wrong way round; choose a larger span."
            )

    def __len__(self) -> int:
        """Return how many there are."""
        return self.count

    def edits(self, make: Callable[[float], Edit]) -> Iterator[Edit]:
        """Yield an edit at each strength, as they are made: the middle, the ends, what lies between.

        Args:
            make: Makes the edit of a strength.
        """
        made: dict[float, Edit] = {}
        for alpha in self._alphas(made):
            made[alpha] = make(alpha)
            yield made[alpha]

    def _alphas(self, made: Mapping[float, Edit]) -> Iterator[float]:
        """Yield strengths, each once the edit at the one before is among those that are made."""
        if self.count > 2:
            yield _middle(self.low, self.high)
        yield from (self.high, self.low)
        gap = cache(partial(_gap, made))
        while len(made) < self.count:
            low, high = max(pairwise(sorted(made)), key=gap)
            yield _middle(low, high)


def _gap(made: Mapping[float, Edit], pair: tuple[float, float]) -> tuple[bool, float]:
    """Return how much is to be seen between two neighbours, to compare."""
    low, high = pair
    if high - low < _FINEST:
        return False, high - low
    return True, difference(made[low].image, made[high].image)


def _middle(low: float, high: float) -> float:
    """Return the strength between two others."""
    return round((low + high) / 2, 4)


def swept(
    edits: Edits, alphas: Sequence[float] | AlphaRange, seeds: Sequence[int]
) -> Iterator[Edit]:
    """Yield every strength for every seed; those that are found with the first seed serve all.

    Args:
        edits: The edit, alone.
        alphas: Strengths.
        seeds: Seeds.
    """
    for seed in seeds:
        make = partial(_single, edits.reseeded(seed))
        if isinstance(alphas, AlphaRange):
            made = []
            for edit in alphas.edits(make):
                made.append(edit.alpha)
                yield edit
            alphas = sorted(made)
        else:
            yield from map(make, alphas)


def _single(edits: Edits, alpha: float) -> Edit:
    """Return the only edit of some, at a strength."""
    return edits.at([alpha])[0]
