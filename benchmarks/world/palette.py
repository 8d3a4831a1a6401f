"""The colours of the figures, and the measures that their parts share."""

from collections.abc import Sequence

from benchmarks.world.canvas import Color, Point
from benchmarks.world.portrait import Portrait

HAIR: dict[str, Color] = {
    "black": (52, 46, 66),
    "blonde": (252, 214, 96),
    "red": (208, 58, 38),
    "blue": (58, 122, 230),
    "pink": (255, 146, 196),
}
IRIS: dict[str, Color] = {"blue": (40, 130, 255), "green": (30, 178, 70), "brown": (146, 74, 22)}
CLOTH: dict[str, Color] = {
    "red": (222, 50, 62),
    "yellow": (255, 206, 50),
    "green": (44, 162, 92),
    "purple": (134, 76, 192),
}
SKIN: Color = (255, 224, 200)
STEEL: Color = (196, 206, 218)
INK: Color = (54, 36, 52)
WHITE: Color = (255, 255, 255)
FELT: Color = (104, 66, 50)
MOUTH: Color = (176, 34, 52)

TURN = {"front": 0, "left": -1, "right": 1}
TURN_SHIFT = 5.2
"""How far the features of a turned head move, in pixels."""


def skin_of(portrait: Portrait) -> Color:
    """The colour of face and hands."""
    return STEEL if portrait.subject == "robot" else SKIN


def mirror(points: Sequence[Point]) -> list[Point]:
    """The same shape on the other side of the middle."""
    return [(64 - x, y) for x, y in points]
