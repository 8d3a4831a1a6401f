"""Means with the interval that they would lie in, had other items been drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 2000


@dataclass(frozen=True)
class Mean:
    """The mean of some items' scores.

    Attributes:
        value: The mean.
        low: Lower end of its 95 % interval.
        high: Upper end.
        count: How many items it is of.
    """

    value: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Mean":
        """Return the mean of scores, and the interval by drawing items again, with one seed.

        Args:
            values: One score an item, at least one.

        Source: Efron 1979, the bootstrap, by percentiles.
        """
        array = np.asarray(values, np.float64)
        draws = np.random.default_rng(0).integers(0, len(array), (DRAWS, len(array)))
        low, high = np.percentile(array[draws].mean(axis=1), (2.5, 97.5))
        return cls(float(array.mean()), float(low), float(high), len(array))
