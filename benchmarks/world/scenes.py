"""The backgrounds: fixed scenes that do not move with the figure."""

from benchmarks.world.canvas import SIZE, Canvas, Color

WHITE: Color = (255, 255, 255)


def draw_scene(canvas: Canvas, name: str) -> None:
    """Fill the whole canvas with one of the scenes."""
    scenes = {"meadow": _meadow, "night": _night, "sunset": _sunset, "snow": _snow}
    scenes[name](canvas)


def _meadow(canvas: Canvas) -> None:
    canvas.rectangle(0, 0, SIZE, SIZE, (150, 216, 248))
    for x, y, radius in ((6, 11, 4), (11, 9, 5), (16, 11, 4), (53, 7, 4), (58, 8, 5)):
        canvas.ellipse((x, y), (radius, radius * 0.8), WHITE)
    canvas.ellipse((12, 66), (34, 26), (150, 212, 92))
    canvas.ellipse((56, 68), (34, 24), (122, 196, 80))


def _night(canvas: Canvas) -> None:
    canvas.rectangle(0, 0, SIZE, SIZE, (38, 44, 104))
    canvas.ellipse((54.5, 9.5), (6, 6), (255, 240, 178))
    canvas.ellipse((51.8, 8), (4.8, 4.8), (38, 44, 104))
    for x, y in ((6, 8), (14, 20), (5, 31), (58, 27), (33, 4)):
        canvas.ellipse((x, y), (1.3, 1.3), (255, 240, 178))
    canvas.ellipse((32, 72), (46, 20), (28, 32, 74))


def _sunset(canvas: Canvas) -> None:
    for top, color in ((0, (255, 150, 96)), (16, (255, 178, 104)), (32, (255, 206, 122))):
        canvas.rectangle(0, top, SIZE, SIZE, color)
    canvas.ellipse((54, 44), (9, 9), (255, 244, 190))
    canvas.rectangle(0, 44, SIZE, SIZE, (186, 92, 128))


def _snow(canvas: Canvas) -> None:
    canvas.rectangle(0, 0, SIZE, SIZE, (184, 204, 224))
    canvas.ellipse((14, 68), (34, 24), (236, 244, 252))
    canvas.ellipse((54, 68), (34, 22), (248, 252, 255))
    for x, y in ((5, 6), (15, 15), (4, 25), (27, 4), (57, 14), (60, 32), (46, 5), (8, 38)):
        canvas.ellipse((x, y), (1.6, 1.6), WHITE)
