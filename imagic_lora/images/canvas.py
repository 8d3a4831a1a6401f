"""Which part of a picture is worked on, and at what size: arithmetic of boxes and canvases.

Knows nothing of models: the native size and the multiple that sides must have are passed in.
"""

from imagic_lora.errors import warn

MAX_ASPECT = 2.5
"""Longest canvas, as long side over short side: base models draw repetitions beyond it."""


def canvas(
    image_size: tuple[int, int],
    *,
    native: int,
    multiple: int,
    width: int | None = None,
    height: int | None = None,
) -> tuple[int, int]:
    """Choose the size at which an image is worked on.

    By default it keeps the image's aspect ratio, limited to MAX_ASPECT either way, at about the
    area that the model was trained on. If one side is given, the other follows the aspect ratio.
    All sides are multiples of `multiple`.

    Args:
        image_size: Width and height of the image, in pixels.
        native: Side of the square pictures that the model was trained on, in pixels.
        multiple: What each side must be a multiple of.
        width: Width asked for, in pixels; rounded, with a warning, if it is no multiple.
        height: Height asked for, likewise.

    Returns:
        Width and height, in pixels.
    """
    true_aspect = image_size[0] / image_size[1]
    aspect = min(max(true_aspect, 1 / MAX_ASPECT), MAX_ASPECT)
    if aspect != true_aspect and (width is None or height is None):
        warn(
            f"the image is {image_size[0]} x {image_size[1]} pixels, longer than "
            f"{MAX_ASPECT:g} to 1; its ends are cropped, unless width and height are given."
        )
    if width is None and height is None:
        free = (native * aspect**0.5, native / aspect**0.5)
        return _round(free[0], multiple), _round(free[1], multiple)
    across = None if width is None else _round_asked("width", width, multiple)
    down = None if height is None else _round_asked("height", height, multiple)
    if across is None:
        across = _round((down or 0) * aspect, multiple)
    if down is None:
        down = _round(across / aspect, multiple)
    return across, down


def crop_box(
    image_size: tuple[int, int],
    size: tuple[int, int],
    *,
    centre: tuple[float, float] = (0.5, 0.5),
    zoom: float = 1.0,
) -> tuple[int, int, int, int]:
    """Return the part of an image that has the shape of a canvas.

    Args:
        image_size: Width and height of the image, in pixels.
        size: Width and height of the canvas, in pixels.
        centre: Where the part lies, across and down: 0 is the left or upper end, 1 the other one.
        zoom: How many times narrower than the largest such part it is, 1 or more.

    Returns:
        Left, upper, right and lower edge, in pixels.
    """
    scale = max(canvas / side for canvas, side in zip(size, image_size, strict=True)) * zoom
    sides = [
        min(side, max(1, round(canvas / scale)))
        for canvas, side in zip(size, image_size, strict=True)
    ]
    left, upper = (
        round((whole - part) * where)
        for whole, part, where in zip(image_size, sides, centre, strict=True)
    )
    return left, upper, left + sides[0], upper + sides[1]


def _round(side: float, multiple: int) -> int:
    """Return the multiple nearest to a side, at least one."""
    return max(1, int(side / multiple + 0.5)) * multiple


def _round_asked(name: str, side: int, multiple: int) -> int:
    """Round a side that the user asked for, and say so."""
    rounded = _round(side, multiple)
    if rounded != side:
        warn(f"{name} {side} is no multiple of {multiple}; {rounded} is used.")
    return rounded
