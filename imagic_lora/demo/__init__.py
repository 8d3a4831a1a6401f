"""The bundled demo: a small model, and the examples that it is tried with. Data only."""

from dataclasses import dataclass
from pathlib import Path

MODEL = "demo"
"""Name of the bundled model."""

_HERE = Path(__file__).parent

PICTURE = _HERE / "girl.png"
"""A picture to fit."""

SOURCE = "a girl"
"""Its caption."""

TARGET = "a girl with a flower"
"""What to edit it towards."""

NEXT_TARGET = "a girl wearing glasses"
"""Another target, for a second edit of the same fit."""


@dataclass(frozen=True)
class Example:
    """A picture to begin with.

    Attributes:
        picture: Its file.
        source: Its caption.
        target: What to edit it towards.
    """

    picture: Path
    source: str
    target: str


EXAMPLES = (
    Example(PICTURE, SOURCE, TARGET),
    Example(_HERE / "boy.png", "a boy", "a boy wearing glasses"),
    Example(_HERE / "sad-girl.png", "a sad girl", "a happy girl"),
    Example(_HERE / "robot.png", "a robot", "a sad robot"),
)
"""Pictures to begin with, each with what the model changes well in it; the first is the one above."""

LIMITS = (
    "This small model knows drawn portraits like these. For photos, start it with --model sd15."
)
"""What it can and cannot show."""

ALPHAS = (0.0, 0.4, 0.7, 1.0, 1.3, 1.6)
"""Prompt strengths from the picture to the target and past it."""

STRENGTHS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Strengths of img2img, to compare with."""
