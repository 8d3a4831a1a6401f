"""A small supersampled canvas: smooth flat shapes in a movable coordinate frame.

It knows shapes and colours, not what they depict.
"""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

SIZE = 64
"""Side of a finished picture, in pixels; also the unit of all coordinates."""

SUPERSAMPLING = 8

Color = tuple[int, int, int]
Point = tuple[float, float]


def shade(color: Color, factor: float) -> Color:
    """Darken a colour (factor below 1) or lighten it towards white (above 1)."""
    if factor <= 1:
        red, green, blue = (round(channel * factor) for channel in color)
    else:
        red, green, blue = (round(255 - (255 - channel) * (2 - factor)) for channel in color)
    return red, green, blue


class Canvas:
    """Draws shapes given in a 64 by 64 frame, with y pointing down.

    Args:
        ground: What is drawn upon, 64 by 64 pixels; None is black.

    Attributes:
        scale: Size of the figure, scaled about the middle of the lower edge.
        shift: Offset of the figure in pixels, after scaling.
    """

    def __init__(self, ground: Image.Image | None = None) -> None:
        side = SIZE * SUPERSAMPLING
        if ground is None:
            self._image = Image.new("RGB", (side, side))
        else:
            self._image = ground.resize((side, side), Image.Resampling.NEAREST)
        self._draw = ImageDraw.Draw(self._image)
        self.scale = 1.0
        self.shift: Point = (0.0, 0.0)

    def finish(self) -> Image.Image:
        """The picture, averaged down to 64 by 64 pixels."""
        return self._image.reduce(SUPERSAMPLING)

    def rectangle(self, left: float, top: float, right: float, bottom: float, fill: Color) -> None:
        """A filled rectangle."""
        self._draw.polygon(
            self._place([(left, top), (right, top), (right, bottom), (left, bottom)]), fill=fill
        )

    def ellipse(
        self,
        center: Point,
        radii: Point,
        fill: Color | None,
        line: Color | None = None,
        width: float = 0.9,
    ) -> None:
        """An axis-aligned ellipse with an optional outline centred on its edge."""
        angles = np.linspace(0, 2 * math.pi, 60, endpoint=False)
        points = [
            (center[0] + radii[0] * math.cos(a), center[1] + radii[1] * math.sin(a)) for a in angles
        ]
        self._shape(points, fill, line, width)

    def polygon(
        self, points: Sequence[Point], fill: Color, line: Color | None = None, width: float = 0.9
    ) -> None:
        """A polygon with straight sides."""
        self._shape(points, fill, line, width)

    def blob(
        self, points: Sequence[Point], fill: Color, line: Color | None = None, width: float = 0.9
    ) -> None:
        """A closed smooth curve through the given points."""
        self._shape(_smooth(points), fill, line, width)

    def stroke(self, points: Sequence[Point], color: Color, width: float) -> None:
        """An open smooth curve with round ends."""
        self._line(smooth_open(points), color, width)

    def _shape(
        self, points: Sequence[Point], fill: Color | None, line: Color | None, width: float
    ) -> None:
        if fill is not None:
            self._draw.polygon(self._place(points), fill=fill)
        if line is not None:
            self._line([*points, points[0]], line, width)

    def _line(self, points: Sequence[Point], color: Color, width: float) -> None:
        placed = self._place(points)
        radius = width * self.scale * SUPERSAMPLING / 2
        self._draw.line(placed, fill=color, width=max(1, round(2 * radius)))
        for x, y in placed:  # round joints, so that thick curves show no notches
            self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)

    def _place(self, points: Sequence[Point]) -> list[Point]:
        across, down = self.shift
        middle, bottom = SIZE / 2, float(SIZE)
        return [
            (
                (middle + (x - middle) * self.scale + across) * SUPERSAMPLING,
                (bottom + (y - bottom) * self.scale + down) * SUPERSAMPLING,
            )
            for x, y in points
        ]


def _smooth(points: Sequence[Point], steps: int = 10) -> list[Point]:
    """Closed Catmull-Rom spline."""
    count = len(points)
    return [
        _catmull_rom([points[(i + k - 1) % count] for k in range(4)], step / steps)
        for i in range(count)
        for step in range(steps)
    ]


def smooth_open(points: Sequence[Point], steps: int = 10) -> list[Point]:
    """Open Catmull-Rom spline through all points, ends included."""
    padded = [points[0], *points, points[-1]]
    path = [
        _catmull_rom(padded[i : i + 4], step / steps)
        for i in range(len(points) - 1)
        for step in range(steps)
    ]
    return [*path, points[-1]]


def _catmull_rom(window: Sequence[Point], t: float) -> Point:
    weights = (
        -0.5 * t + t**2 - 0.5 * t**3,
        1 - 2.5 * t**2 + 1.5 * t**3,
        0.5 * t + 2 * t**2 - 1.5 * t**3,
        -0.5 * t**2 + 0.5 * t**3,
    )
    x = sum(w * p[0] for w, p in zip(weights, window, strict=True))
    y = sum(w * p[1] for w, p in zip(weights, window, strict=True))
    return x, y
