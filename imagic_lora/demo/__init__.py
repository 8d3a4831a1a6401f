"""The bundled demo: a small model, and the example that it is tried with. Data only."""

from pathlib import Path

MODEL = "demo"
"""Name of the bundled model."""

PICTURE = Path(__file__).with_name("girl.png")
"""A picture to fit."""

SOURCE = "a girl"
"""Its caption."""

TARGET = "a girl with a flower"
"""What to edit it towards."""

NEXT_TARGET = "a girl wearing glasses"
"""Another target, for a second edit of the same fit."""

PROMPTS = (TARGET, NEXT_TARGET, "a sad girl in the snow", "a girl with bunny ears and a hat")
"""Targets to begin with."""

LIMITS = (
    "This small model knows drawn portraits like this one. For photos, start it with --model sd15."
)
"""What it can and cannot show."""

ALPHAS = (0.0, 0.4, 0.7, 1.0, 1.3, 1.6)
"""Prompt strengths from the picture to the target and past it."""

STRENGTHS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Strengths of img2img, to compare with."""
