"""Portrait -> picture: 64 by 64 pixels, antialiased, the same pixels every time.

Parts are painted from back to front. Each function reads only the attributes
that it shows, so changing one attribute leaves the other parts untouched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.world.canvas import Canvas, Color, Point, shade, smooth_open
from benchmarks.world.scenes import draw_scene

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

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

SCALE = {"close": 1.0, "far": 0.76}
TURN = {"front": 0, "left": -1, "right": 1}
TURN_SHIFT = 5.2


def draw(portrait: Portrait) -> Image.Image:
    """Paint a portrait.

    Args:
        portrait: What to show.

    Returns:
        An RGB image of 64 by 64 pixels.
    """
    canvas = Canvas()
    draw_scene(canvas, portrait.background)
    canvas.scale = SCALE[portrait.size]
    canvas.shift = (portrait.shift[0], -portrait.shift[1])
    _back_hair(canvas, portrait)
    _body(canvas, portrait)
    _arms(canvas, portrait)
    if portrait.accessory == "hat":
        _hat_crown(canvas)
    _ears(canvas, portrait)
    _face(canvas, portrait)
    _eyes(canvas, portrait)
    _expression(canvas, portrait)
    _front_hair(canvas, portrait)
    _accessory(canvas, portrait)
    return canvas.finish()


def _skin(portrait: Portrait) -> Color:
    return STEEL if portrait.subject == "robot" else SKIN


def _mirror(points: Sequence[Point]) -> list[Point]:
    return [(64 - x, y) for x, y in points]


def _back_hair(canvas: Canvas, portrait: Portrait) -> None:
    if portrait.subject != "girl":
        return
    color = shade(HAIR[portrait.hair], 0.82)
    side = [(32, 13), (17, 18), (11.5, 32), (11.5, 46), (9.5, 57), (15, 60), (22, 60)]
    canvas.blob([*side, *reversed(_mirror(side[1:]))], color, shade(color, 0.75))


def _body(canvas: Canvas, portrait: Portrait) -> None:
    cloth, skin = CLOTH[portrait.clothes], _skin(portrait)
    line = shade(cloth, 0.68)
    side = [(25, 52), (17, 55), (14, 63), (13, 80), (32, 80)]
    canvas.blob([*side, *reversed(_mirror(side[:-1]))], cloth, line)
    canvas.rectangle(28, 46, 36, 53.5, shade(skin, 0.84))
    if portrait.subject == "girl":
        canvas.ellipse((32, 53), (5.6, 2.6), shade(skin, 0.84))
        canvas.polygon([(24, 53), (32, 59), (40, 53), (41, 57), (32, 64), (23, 57)], WHITE)
    elif portrait.subject == "boy":
        canvas.polygon([(26, 51), (32, 59.5), (22.5, 59)], WHITE, line, 0.6)
        canvas.polygon([(38, 51), (32, 59.5), (41.5, 59)], WHITE, line, 0.6)
    else:
        canvas.rectangle(25.5, 51.5, 38.5, 54.5, shade(STEEL, 0.7))
        canvas.ellipse((32, 60), (3.2, 3.2), (120, 240, 230), shade(STEEL, 0.55), 1.2)


def _arms(canvas: Canvas, portrait: Portrait) -> None:
    cloth, skin = CLOTH[portrait.clothes], _skin(portrait)
    line = shade(cloth, 0.68)
    for flip in (False, True):
        raised: list[Point] = [(18, 58), (9.5, 52), (6.5, 41)]
        hanging: list[Point] = [(17.5, 57), (13, 62), (11.5, 72)]
        path = raised if portrait.arms == "raised" else hanging
        hand = (6.2, 34.5)
        if flip:
            path, hand = _mirror(path), (64 - hand[0], hand[1])
        if portrait.arms == "raised":
            canvas.ellipse(hand, (4.6, 5.0), skin, shade(skin, 0.7))
        canvas.stroke(path, line, 9.0)
        canvas.stroke(path, cloth, 7.4)


def _ears(canvas: Canvas, portrait: Portrait) -> None:
    hair = HAIR[portrait.hair]
    line, inner = shade(hair, 0.62), (255, 178, 186)
    for flip in (False, True):
        if portrait.ears == "cat":
            outside: list[Point] = [(13.5, 25), (11.5, 3.5), (27.5, 15)]
            inside: list[Point] = [(15.2, 19.5), (14.4, 8.5), (22.4, 14.2)]
            canvas.polygon(_mirror(outside) if flip else outside, hair, line, 1.2)
            canvas.polygon(_mirror(inside) if flip else inside, inner)
        elif portrait.ears == "bunny":
            x = 42.0 if flip else 22.0
            lean = 1.6 if flip else -1.6
            for width, color, edge, top in ((4.6, hair, line, 1.5), (2.2, inner, None, 5.0)):
                points = [(x - width, 20), (x - width + lean, 9), (x + lean, top)]
                points += [(x + width + lean, 9), (x + width, 20)]
                canvas.blob(points, color, edge)


def _face(canvas: Canvas, portrait: Portrait) -> None:
    skin = _skin(portrait)
    line, turn = shade(skin, 0.66), TURN[portrait.head]
    if portrait.subject == "robot":
        for x in (14.0, 50.0):
            canvas.ellipse((x + turn, 36), (3.4, 4.6), shade(STEEL, 0.72), shade(STEEL, 0.5))
        side = [(32, 17), (18, 18), (15, 26), (15, 42), (18.5, 49), (32, 50.5)]
        canvas.blob([(x + turn, y) for x, y in [*side, *reversed(_mirror(side[1:-1]))]], skin, line)
        return
    if portrait.subject == "boy":
        for x in (14.5, 49.5):
            canvas.ellipse((x, 38), (2.8, 3.8), skin, line)
    side = [(32, 17), (18.5, 22), (15, 33), (17, 42), (24, 48.5), (32, 51)]
    points = [*side, *reversed(_mirror(side[1:-1]))]
    canvas.blob([(x + turn * (1 + max(0.0, y - 38) / 6), y) for x, y in points], skin, line)


def _eye_centers(portrait: Portrait) -> tuple[tuple[float, float], tuple[float, float]]:
    """Horizontal middle and half width of both eyes; the far eye of a turned head is narrower."""
    turn = TURN[portrait.head]
    left = (24.4 + TURN_SHIFT * turn, 4.9 if turn >= 0 else 3.7)
    right = (39.6 + TURN_SHIFT * turn, 4.9 if turn <= 0 else 3.7)
    return left, right


def _eyes(canvas: Canvas, portrait: Portrait) -> None:
    color, y = IRIS[portrait.eyes], 35.6
    turn = TURN[portrait.head]
    for x, half in _eye_centers(portrait):
        canvas.ellipse((x, y), (half, 5.8), WHITE)
        canvas.ellipse((x + 0.7 * turn, y + 0.3), (half - 0.6, 5.4), shade(color, 0.72))
        canvas.ellipse((x + 0.7 * turn, y + 1.9), (half - 1.0, 3.8), color)
        canvas.ellipse((x + 0.8 * turn, y + 0.4), (half * 0.3, 1.9), INK)
        canvas.ellipse((x - 1.4, y - 2.2), (1.7, 1.8), WHITE)
        outward = -1 if x < 32 + TURN_SHIFT * turn else 1
        lash: list[Point] = [(x - half * outward * 0.7, y - 4.9), (x, y - 5.9)]
        lash += [(x + half * outward * 0.85, y - 4.2), (x + (half + 0.9) * outward, y - 1.6)]
        canvas.stroke(lash, INK, 1.5)


def _expression(canvas: Canvas, portrait: Portrait) -> None:
    x = 32 + TURN_SHIFT * TURN[portrait.head]
    mouths = {"happy": _smile, "sad": _frown, "surprised": _gasp}
    mouths[portrait.expression](canvas, x)
    for eye, half in _eye_centers(portrait):
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


def _front_hair(canvas: Canvas, portrait: Portrait) -> None:
    hair = HAIR[portrait.hair]
    line, turn = shade(hair, 0.62), TURN[portrait.head]
    part = 32 + TURN_SHIFT * turn
    if portrait.subject == "robot":
        dome: list[Point] = [
            (13.5, 30),
            (15, 19),
            (22, 13),
            (32, 11.5),
            (42, 13),
            (49, 19),
            (50.5, 30),
        ]
        canvas.polygon(
            [*smooth_open(dome), (50.5, 29), (45, 27.5), (19, 27.5), (13.5, 29)], hair, line
        )
        canvas.rectangle(part - 2, 11.8, part + 2, 27.2, shade(hair, 1.35))
        return
    if portrait.subject == "girl":
        outer: list[Point] = [
            (13.5, 47),
            (13, 32),
            (17, 19),
            (24, 13),
            (32, 11.5),
            (40, 13),
            (47, 19),
            (51, 32),
            (50.5, 47),
        ]
        fringe: list[Point] = [
            (47.5, 38),
            (46.5, 29),
            (part + 9, 23.5),
            (part + 2, 29),
            (part - 1, 22),
            (part - 8, 29),
            (17.5, 29),
            (16.5, 38),
        ]
    else:
        outer = [
            (14, 36),
            (12, 27),
            (16, 17),
            (24, 11.5),
            (33, 10),
            (42, 11.5),
            (48, 17),
            (52, 27),
            (50, 36),
        ]
        fringe = [
            (48, 30),
            (part + 11, 25),
            (part + 7, 29.5),
            (part + 3, 23.5),
            (part - 2, 29.5),
            (part - 6, 23.5),
            (part - 10, 29),
            (17, 26),
            (16.5, 31),
        ]
    canvas.polygon([*smooth_open(outer), *fringe], hair, line)
    shine: list[Point] = [(part - 10, 20.5), (part - 5, 17.2), (part + 1, 16.2)]
    canvas.stroke(shine, shade(hair, 1.45), 1.8)


def _hat_crown(canvas: Canvas) -> None:
    crown: list[Point] = [(22, 19), (23, 6), (27, 3.5), (32, 5), (37, 3.5), (41, 6), (42, 19)]
    canvas.blob(crown, FELT, shade(FELT, 0.6))
    canvas.polygon([(22.7, 8.6), (41.3, 8.6), (42, 13.4), (22, 13.4)], (240, 196, 72))


def _accessory(canvas: Canvas, portrait: Portrait) -> None:
    if portrait.accessory == "flower":
        _flower(canvas)
    elif portrait.accessory == "hat":
        canvas.polygon([(22, 15), (42, 15), (42, 18), (22, 18)], FELT)
        canvas.ellipse((32, 16.6), (21.5, 4.0), FELT, shade(FELT, 0.6))
    elif portrait.accessory == "glasses":
        _glasses(canvas, portrait)


def _flower(canvas: Canvas) -> None:
    x, y = 46.0, 21.5
    petals: list[Point] = [(0, -4.6), (4.4, -1.4), (2.7, 3.8), (-2.7, 3.8), (-4.4, -1.4)]
    for dx, dy in petals:
        canvas.ellipse((x + dx, y + dy), (3.3, 3.3), WHITE, (214, 120, 160), 0.8)
    for dx, dy in petals:
        canvas.ellipse((x + dx * 0.6, y + dy * 0.6), (2.4, 2.4), WHITE)
    canvas.ellipse((x, y), (2.6, 2.6), (255, 176, 32))


def _glasses(canvas: Canvas, portrait: Portrait) -> None:
    frame: Color = (30, 30, 44)
    (left, left_half), (right, right_half) = _eye_centers(portrait)
    canvas.stroke([(left + left_half, 36), (right - right_half, 36)], frame, 1.6)
    for x, half in _eye_centers(portrait):
        canvas.ellipse((x, 36), (half + 2.0, 7.4), None, frame, 1.7)
