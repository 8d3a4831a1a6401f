"""What can be seen in a portrait: its attributes, their values, and how they are sampled.

This module owns the vocabulary of the drawn world. It knows neither how a
portrait is drawn nor how it is put into words.
"""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from benchmarks.world.photograph import Look

ATTRIBUTES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "subject": ("girl", "boy", "robot"),
        "hair": ("black", "blonde", "red", "blue", "pink"),
        "ears": ("none", "cat", "bunny"),
        "eyes": ("blue", "green", "brown"),
        "expression": ("happy", "sad", "surprised"),
        "accessory": ("none", "flower", "hat", "glasses"),
        "clothes": ("red", "yellow", "green", "purple"),
        "background": ("meadow", "night", "sunset", "snow"),
        "arms": ("down", "raised"),
        "head": ("front", "left", "right"),
        "size": ("close", "far"),
    }
)
"""The values of every attribute. The order of values is the judge's class order."""

SHIFTS = (-1, 0, 1)
"""Sideways and upward shifts of the figure, in pixels."""

HELD_OUT = 1_000_000_000
"""Seeds from here on are never drawn for training."""

EXAMPLE = 4470
"""Number of the held-out portrait that the demo edits: a girl with cat ears."""

EXAMPLES: Mapping[str, int] = MappingProxyType(
    {"girl": EXAMPLE, "boy": 5657, "sad-girl": 8646, "robot": 9075}
)
"""Numbers of the held-out portraits that the web page offers to begin with, by name; no split of the
benchmarks has them."""


@dataclasses.dataclass(frozen=True)
class Portrait:
    """One portrait, without its words or its pixels.

    Attributes:
        subject: Who is portrayed.
        hair: Hair colour; for a robot, the colour of its helmet.
        ears: Animal ears on top of the head.
        eyes: Eye colour.
        expression: Mouth and eyebrows.
        accessory: What is worn on the head or face.
        clothes: Colour of the clothes.
        background: The scene behind the figure.
        arms: Whether the arms hang down or are raised.
        head: Where the head is turned, as the viewer sees it.
        size: Whether the figure fills the frame or stands further away.
        shift: Sideways and upward shift of the figure, in pixels.
        look: How a photograph of the scene was taken, its own shift and size with it; None is a
            plain drawing.

    Raises:
        ValueError: If an attribute has a value that the world does not know.
    """

    subject: str = "girl"
    hair: str = "black"
    ears: str = "none"
    eyes: str = "blue"
    expression: str = "happy"
    accessory: str = "none"
    clothes: str = "red"
    background: str = "meadow"
    arms: str = "down"
    head: str = "front"
    size: str = "close"
    shift: tuple[int, int] = (0, 0)
    look: Look | None = None

    def __post_init__(self) -> None:
        for name, allowed in ATTRIBUTES.items():
            value = getattr(self, name)
            if value not in allowed:
                raise ValueError(f"{name} is {value!r}; allowed: {', '.join(allowed)}")

    def replace(self, **changes: Any) -> "Portrait":
        """The same portrait with some attributes changed: the ideal edit."""
        return dataclasses.replace(self, **changes)

    def labels(self) -> tuple[int, ...]:
        """The index of each attribute's value, in the order of ATTRIBUTES."""
        return tuple(values.index(getattr(self, name)) for name, values in ATTRIBUTES.items())


def sample_portrait(seed: int, *, photographed: bool = False) -> Portrait:
    """Draw every attribute independently and uniformly.

    Args:
        seed: Any non-negative integer; from HELD_OUT on, portraits are kept from training.
        photographed: Whether it has a look, or is plainly drawn.

    Returns:
        The same portrait for the same seed.
    """
    generator = np.random.default_rng((seed, 0))
    chosen = {name: values[generator.integers(len(values))] for name, values in ATTRIBUTES.items()}
    across, up = (SHIFTS[i] for i in generator.integers(len(SHIFTS), size=2))
    look = Look.of(seed) if photographed else None
    return Portrait(**chosen, shift=(across, up), look=look)


def held_out_portrait(index: int, *, photographed: bool = False) -> Portrait:
    """The portrait number `index` among those that training never sees."""
    return sample_portrait(HELD_OUT + index, photographed=photographed)
