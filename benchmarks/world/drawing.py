"""Portrait -> picture: 64 by 64 pixels, antialiased, the same pixels every time.

Parts are painted from back to front. Each function reads only the attributes
that it shows, so changing one attribute leaves the other parts untouched.
"""

from PIL import Image

from benchmarks.world.canvas import Canvas, Color, Point, shade
from benchmarks.world.faces import draw_expression, draw_eyes, draw_face, eye_centers
from benchmarks.world.hair import back_hair, front_hair
from benchmarks.world.palette import CLOTH, FELT, HAIR, STEEL, WHITE, mirror, skin_of
from benchmarks.world.portrait import Portrait
from benchmarks.world.scenes import draw_scene

SCALE = {"close": 1.0, "far": 0.82}


def draw(portrait: Portrait) -> Image.Image:
    """Paint a portrait.

    Args:
        portrait: What to show.

    Returns:
        An RGB image of 64 by 64 pixels.
    """
    look = portrait.look
    if look is None:
        canvas = Canvas()
        draw_scene(canvas, portrait.background)
        canvas.scale = SCALE[portrait.size]
        canvas.shift = (portrait.shift[0], -portrait.shift[1])
    else:
        canvas = Canvas(look.ground(portrait.background))
        canvas.scale = SCALE[portrait.size] * look.scale
        canvas.shift = look.shift
    back_hair(canvas, portrait)
    _body(canvas, portrait)
    _arms(canvas, portrait)
    if portrait.accessory == "hat":
        _hat_crown(canvas)
    _ears(canvas, portrait)
    draw_face(canvas, portrait)
    draw_eyes(canvas, portrait)
    draw_expression(canvas, portrait)
    front_hair(canvas, portrait)
    _accessory(canvas, portrait)
    picture = canvas.finish()
    return picture if look is None else look.taken(picture)


def _body(canvas: Canvas, portrait: Portrait) -> None:
    cloth, skin = CLOTH[portrait.clothes], skin_of(portrait)
    line = shade(cloth, 0.68)
    side = [(25, 52), (17, 55), (14, 63), (13, 80), (32, 80)]
    canvas.blob([*side, *reversed(mirror(side[:-1]))], cloth, line)
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
    cloth, skin = CLOTH[portrait.clothes], skin_of(portrait)
    line = shade(cloth, 0.68)
    for flip in (False, True):
        raised: list[Point] = [(18, 58), (9.5, 52), (6.5, 41)]
        hanging: list[Point] = [(17.5, 57), (13, 62), (11.5, 72)]
        path = raised if portrait.arms == "raised" else hanging
        hand = (6.2, 34.5)
        if flip:
            path, hand = mirror(path), (64 - hand[0], hand[1])
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
            canvas.polygon(mirror(outside) if flip else outside, hair, line, 1.2)
            canvas.polygon(mirror(inside) if flip else inside, inner)
        elif portrait.ears == "bunny":
            x = 42.0 if flip else 22.0
            lean = 1.6 if flip else -1.6
            for width, color, edge, top in ((4.6, hair, line, 1.5), (2.2, inner, None, 5.0)):
                points = [(x - width, 20), (x - width + lean, 9), (x + lean, top)]
                points += [(x + width + lean, 9), (x + width, 20)]
                canvas.blob(points, color, edge)


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
    (left, left_half), (right, right_half) = eye_centers(portrait)
    canvas.stroke([(left + left_half, 36), (right - right_half, 36)], frame, 1.6)
    for x, half in eye_centers(portrait):
        canvas.ellipse((x, 36), (half + 2.0, 7.4), None, frame, 1.7)
