"""Faces: their outline, eyes, mouths and what sits on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.world.canvas import Canvas, Point, shade
from benchmarks.world.palette import (
    INK,
    IRIS,
    MOUTH,
    STEEL,
    TURN,
    TURN_SHIFT,
    WHITE,
    mirror,
    skin_of,
)

if TYPE_CHECKING:
    from benchmarks.world.portrait import Portrait


def draw_face(canvas: Canvas, portrait: Portrait) -> None:
    """The empty face, with the ears of a boy and the bolts of a robot."""
    skin = skin_of(portrait)
    line, turn = shade(skin, 0.66), TURN[portrait.head]
    if portrait.subject == "robot":
        for x in (14.0, 50.0):
            canvas.ellipse((x + turn, 36), (3.4, 4.6), shade(STEEL, 0.72), shade(STEEL, 0.5))
        side = [(32, 17), (18, 18), (15, 26), (15, 42), (18.5, 49), (32, 50.5)]
        canvas.blob([(x + turn, y) for x, y in [*side, *reversed(mirror(side[1:-1]))]], skin, line)
        return
    if portrait.subject == "boy":
        for x in (14.5, 49.5):
            canvas.ellipse((x, 38), (2.8, 3.8), skin, line)
    side = [(32, 17), (18.5, 22), (15, 33), (17, 42), (24, 48.5), (32, 51)]
    points = [*side, *reversed(mirror(side[1:-1]))]
    canvas.blob([(x + turn * (1 + max(0.0, y - 38) / 6), y) for x, y in points], skin, line)


def eye_centers(portrait: Portrait) -> tuple[tuple[float, float], tuple[float, float]]:
    """Horizontal middle and half width of both eyes; the far eye of a turned head is narrower."""
    turn = TURN[portrait.head]
    left = (24.4 + TURN_SHIFT * turn, 4.9 if turn >= 0 else 3.7)
    right = (39.6 + TURN_SHIFT * turn, 4.9 if turn <= 0 else 3.7)
    return left, right


def draw_eyes(canvas: Canvas, portrait: Portrait) -> None:
    """Both eyes, looking where the head is turned to."""
    color, y = IRIS[portrait.eyes], 35.6
    turn = TURN[portrait.head]
    for x, half in eye_centers(portrait):
        canvas.ellipse((x, y), (half, 5.8), WHITE)
        canvas.ellipse((x + 0.7 * turn, y + 0.3), (half - 0.6, 5.4), shade(color, 0.72))
        canvas.ellipse((x + 0.7 * turn, y + 1.9), (half - 1.0, 3.8), color)
        canvas.ellipse((x + 0.8 * turn, y + 0.4), (half * 0.3, 1.9), INK)
        canvas.ellipse((x - 1.4, y - 2.2), (1.7, 1.8), WHITE)
        outward = -1 if x < 32 + TURN_SHIFT * turn else 1
        lash: list[Point] = [(x - half * outward * 0.7, y - 4.9), (x, y - 5.9)]
        lash += [(x + half * outward * 0.85, y - 4.2), (x + (half + 0.9) * outward, y - 1.6)]
        canvas.stroke(lash, INK, 1.5)


def draw_expression(canvas: Canvas, portrait: Portrait) -> None:
    """The mouth, and tears or red cheeks."""
    x = 32 + TURN_SHIFT * TURN[portrait.head]
    mouths = {"happy": _smile, "sad": _frown, "surprised": _gasp}
    mouths[portrait.expression](canvas, x)
    for eye, half in eye_centers(portrait):
        outward = -1.0 if eye < x else 1.0
        if portrait.expression == "sad":
            canvas.ellipse((eye + 2.2 * outward, 43.6), (1.9, 3.0), (90, 186, 255))
        elif portrait.expression == "happy" and portrait.subject != "robot":
            canvas.ellipse((eye + 1.8 * outward, 43.4), (half * 0.6, 1.5), (255, 160, 150))


def _smile(canvas: Canvas, x: float) -> None:
    top: list[Point] = [(x - 6.4, 42.2), (x, 43.0), (x + 6.4, 42.2)]
    bottom: list[Point] = [(x + 4.4, 47.2), (x, 49.0), (x - 4.4, 47.2)]
    canvas.blob([*top, *bottom], MOUTH, INK, 0.9)
    canvas.rectangle(x - 4.4, 42.9, x + 4.4, 44.5, WHITE)


def _frown(canvas: Canvas, x: float) -> None:
    arc: list[Point] = [(x - 5.2, 48.2), (x - 3.0, 44.9), (x + 3.0, 44.9), (x + 5.2, 48.2)]
    canvas.stroke(arc, INK, 1.9)


def _gasp(canvas: Canvas, x: float) -> None:
    canvas.ellipse((x, 45.6), (3.6, 4.0), MOUTH, INK, 1.0)
