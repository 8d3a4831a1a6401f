"""Faces: their outline, eyes, mouths and what sits on them."""

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
from benchmarks.world.portrait import Portrait


def draw_face(canvas: Canvas, portrait: Portrait) -> None:
    """The empty face, with the ears of a boy and the bolts of a robot."""
    skin = skin_of(portrait)
    line, turn = shade(skin, 0.66), TURN[portrait.head]
    if portrait.subject == "robot":
        for x in (14.0, 50.0) if portrait.head == "front" else ():
            canvas.ellipse((x, 36), (3.4, 4.6), shade(STEEL, 0.72), shade(STEEL, 0.5))
        side = [(32, 17), (18, 18), (15, 26), (15, 42), (18.5, 49), (32, 50.5)]
        canvas.blob([(x + turn, y) for x, y in [*side, *reversed(mirror(side[1:-1]))]], skin, line)
        _side_of_head(canvas, portrait, (3.4, 4.6))
        return
    if portrait.subject == "boy" and portrait.head == "front":
        for x in (14.5, 49.5):
            canvas.ellipse((x, 38), (2.8, 3.8), skin, line)
    side = [(32, 17), (18.5, 22), (15, 33), (17, 42), (24, 48.5), (32, 51)]
    points = [*side, *reversed(mirror(side[1:-1]))]
    canvas.blob([(x + turn * (1 + max(0.0, y - 38) / 6), y) for x, y in points], skin, line)
    _side_of_head(canvas, portrait, (2.8, 3.8))


def _side_of_head(canvas: Canvas, portrait: Portrait, ear: Point) -> None:
    """What a turn of the head brings into view: the cheek in shadow and the ear before it."""
    if portrait.head == "front":
        return
    skin = skin_of(portrait)
    cheek: list[Point] = [(40, 22), (47, 26), (49.2, 34), (47, 42.5), (40.5, 48.4), (43, 37)]
    center: Point = (45.5, 37)
    if portrait.head == "right":
        cheek, center = mirror(cheek), mirror([center])[0]
    canvas.blob(cheek, shade(skin, 0.7))
    canvas.ellipse(center, ear, shade(skin, 0.9), shade(skin, 0.55))


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
    top: list[Point] = [(x - 7.0, 41.8), (x, 42.8), (x + 7.0, 41.8)]
    bottom: list[Point] = [(x + 5.2, 47.4), (x, 49.6), (x - 5.2, 47.4)]
    canvas.blob([*top, *bottom], MOUTH, INK, 0.9)
    canvas.rectangle(x - 5.2, 42.7, x + 5.2, 44.6, WHITE)


def _frown(canvas: Canvas, x: float) -> None:
    arc: list[Point] = [(x - 6.0, 48.6), (x - 3.4, 44.6), (x + 3.4, 44.6), (x + 6.0, 48.6)]
    canvas.stroke(arc, INK, 2.1)


def _gasp(canvas: Canvas, x: float) -> None:
    canvas.ellipse((x, 45.6), (4.0, 4.5), MOUTH, INK, 1.0)
