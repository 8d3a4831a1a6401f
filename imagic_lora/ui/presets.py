"""Manners of editing by name: plain values, which the page puts into its fields."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """Values of some fields.

    Attributes:
        name: What it is called.
        low: The smallest strength.
        high: The largest.
        focus: How closely the edit is held to where it changes the picture the most.
    """

    name: str
    low: float
    high: float
    focus: float


def presets(usual: tuple[float, float]) -> tuple[Preset, ...]:
    """Return the manners of editing, from the one that keeps most.

    Args:
        usual: The smallest and the largest strength that the page begins with.
    """
    return (
        Preset("careful", 0.2, 1.0, focus=2.0),
        Preset("usual", *usual, focus=1.0),
        Preset("bold", 0.8, 2.4, focus=0.5),
    )
