"""The form of plots in the docs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure


@contextmanager
def plot(path: Path, **told: Any) -> Iterator[Axes]:
    """Give what to draw labelled lines on, and write it.

    Args:
        path: The file.
        told: Title, labels and scales, as `Axes.set` takes them.
    """
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    yield axes
    axes.set(**told)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110)
