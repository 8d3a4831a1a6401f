"""Hair, behind the figure and in front of the face; for a robot, its helmet."""

from benchmarks.world.canvas import Canvas, Point, shade, smooth_open
from benchmarks.world.palette import HAIR, TURN, TURN_SHIFT, mirror
from benchmarks.world.portrait import Portrait

HELMET: list[Point] = [(13.5, 30), (15, 19), (22, 13), (32, 11.5), (42, 13), (49, 19), (50.5, 30)]
LONG: list[Point] = [
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
SHORT: list[Point] = [
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


def back_hair(canvas: Canvas, portrait: Portrait) -> None:
    """Long hair behind the shoulders."""
    if portrait.subject != "girl":
        return
    color = shade(HAIR[portrait.hair], 0.82)
    side = [(32, 13), (17, 18), (11.5, 32), (11.5, 46), (9.5, 57), (15, 60), (22, 60)]
    canvas.blob([*side, *reversed(mirror(side[1:]))], color, shade(color, 0.75))


def front_hair(canvas: Canvas, portrait: Portrait) -> None:
    """The crown and the fringe, parted where the head is turned to."""
    color = HAIR[portrait.hair]
    line, part = shade(color, 0.62), 32 + TURN_SHIFT * TURN[portrait.head]
    if portrait.subject == "robot":
        rim: list[Point] = [(50.5, 29), (45, 27.5), (19, 27.5), (13.5, 29)]
        canvas.polygon([*smooth_open(HELMET), *rim], color, line)
        canvas.rectangle(part - 2, 11.8, part + 2, 27.2, shade(color, 1.35))
        return
    crown, fringe = (
        (LONG, _long_fringe(part)) if portrait.subject == "girl" else (SHORT, _short_fringe(part))
    )
    canvas.polygon([*smooth_open(crown), *fringe], color, line)
    shine: list[Point] = [(part - 10, 20.5), (part - 5, 17.2), (part + 1, 16.2)]
    canvas.stroke(shine, shade(color, 1.45), 1.8)


def _long_fringe(part: float) -> list[Point]:
    left: list[Point] = [(47.5, 38), (46.5, 29)]
    middle = [(part + 9, 23.5), (part + 2, 29), (part - 1, 22), (part - 8, 29)]
    return [*left, *middle, (17.5, 29), (16.5, 38)]


def _short_fringe(part: float) -> list[Point]:
    right = [(part + 11, 25), (part + 7, 29.5), (part + 3, 23.5)]
    left = [(part - 2, 29.5), (part - 6, 23.5), (part - 10, 29)]
    return [(48, 30), *right, *left, (17, 26), (16.5, 31)]
