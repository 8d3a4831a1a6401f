"""Which part of a picture is worked on, and at what size: arithmetic of boxes and canvases.

Knows nothing of models: the native size and the multiple that sides must have are passed in.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from PIL import Image

from imagic_lora.errors import ImageError, quoted, warn
from imagic_lora.images.reading import MAX_PIXELS

Box = tuple[float, float, float, float]
Size = tuple[int, int]

MAX_ASPECT = 2.5
"""Longest canvas, as long side over short side: base models draw repetitions beyond it."""


@dataclass(frozen=True)
class Frame:
    """How a picture was cropped and scaled: which box of it became which canvas.

    Attributes:
        whole: Width and height of the whole upright picture, in pixels.
        box: Left, upper, right and lower edge of the part that was used, in pixels of the whole.
        size: Width and height of the canvas, in pixels.

    Raises:
        ImageError: When these are no such numbers, or the box does not lie within the picture.
    """

    whole: Size
    box: Box
    size: Size

    def __post_init__(self) -> None:
        left, upper, right, lower = self.box if _are_numbers(self.box, 4) else (0, 0, 0, 0)
        if (
            not (_is_size(self.whole) and _is_size(self.size))
            or not 0 <= left < right <= self.whole[0]
            or not 0 <= upper < lower <= self.whole[1]
        ):
            raise ImageError(
                f"The frame was {quoted(self.box)} of {quoted(self.whole)} at {quoted(self.size)}, "
                "allowed is a box within a picture, and the size of its canvas, in pixels."
            )

    @classmethod
    def of(
        cls,
        whole: Size,
        size: Size,
        *,
        centre: tuple[float, float] = (0.5, 0.5),
        zoom: float = 1.0,
    ) -> "Frame":
        """Return the frame of the largest part of a picture that has the shape of a canvas.

        Args:
            whole: Width and height of the picture, in pixels.
            size: Width and height of the canvas, in pixels.
            centre: Where the part lies, across and down: 0 is the left or upper end, 1 the other.
            zoom: How many times narrower than the largest such part it is, 1 or more.
        """
        aspect = size[0] / size[1]
        across, down = float(whole[0]), float(whole[1])
        if across / down > aspect:
            across = aspect * down
        elif across / down < aspect:
            down = across / aspect
        across, down = max(1.0, across / zoom), max(1.0, down / zoom)
        left, upper = (whole[0] - across) * centre[0], (whole[1] - down) * centre[1]
        right, lower = min(left + across, whole[0]), min(upper + down, whole[1])
        return cls(whole, (left, upper, right, lower), size)

    def cut(self, image: Image.Image) -> Image.Image:
        """Return the framed part of the picture, scaled to the canvas.

        Args:
            image: The whole picture.

        Raises:
            ImageError: When it is of another size than the frame is for.
        """
        if image.size != self.whole:
            raise ImageError(
                f"The picture is {_text(image.size)} pixels, but its frame is for one of "
                f"{_text(self.whole)}; give the picture that was framed."
            )
        return image.resize(self.size, Image.Resampling.LANCZOS, box=self.box)

    def cut_mask(self, mask: Image.Image) -> Image.Image:
        """Return the part of a mask that lies on the framed part, at the size of the canvas.

        Args:
            mask: A mask that was drawn over the whole picture or over the framed part of it, each
                at any resolution.

        Raises:
            ImageError: When it has the shape of neither.
        """
        on_canvas = mask.size == self.size != self.whole
        if not on_canvas and _same_shape(mask.size, self.whole):
            across, down = mask.width / self.whole[0], mask.height / self.whole[1]
            left, upper, right, lower = self.box
            box = (left * across, upper * down, right * across, lower * down)
        elif _same_shape(mask.size, self.size):
            box = (0.0, 0.0, float(mask.width), float(mask.height))
        else:
            turned = _same_shape(mask.size[::-1], self.whole)
            remedy = "turn it as the photo is turned" if turned else "draw it over one of them"
            raise ImageError(
                f"The mask is {_text(mask.size)} pixels; allowed is the shape of the picture, "
                f"{_text(self.whole)}, or of its framed part, {_text(self.size)}: {remedy}."
            )
        return mask.resize(self.size, Image.Resampling.BOX, box=box)

    def to_json(self) -> dict[str, list[float]]:
        """Return the frame as plain JSON values, of which `from_json` makes it again."""
        return {name: list(values) for name, values in asdict(self).items()}

    @classmethod
    def from_json(cls, values: Any) -> "Frame":
        """Return the frame of JSON values that anybody may have written.

        Raises:
            ImageError: When they are no frame.
        """
        names = [field.name for field in fields(cls)]
        if not isinstance(values, Mapping) or set(values) != set(names):
            raise ImageError(f"The frame was {quoted(values)}, allowed is {', '.join(names)}.")
        return cls(**{name: _tuple(values[name]) for name in names})


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


def _round(side: float, multiple: int) -> int:
    """Return the multiple nearest to a side, at least one."""
    return max(1, int(side / multiple + 0.5)) * multiple


def _round_asked(name: str, side: int, multiple: int) -> int:
    """Round a side that the user asked for, and say so."""
    rounded = _round(side, multiple)
    if rounded != side:
        warn(f"{name} {side} is no multiple of {multiple}; {rounded} is used.")
    return rounded


def _same_shape(size: Size, other: Size) -> bool:
    """Return whether one size is another at some resolution, but for the rounding of a pixel."""
    return abs(size[0] * other[1] - size[1] * other[0]) <= max(*size, *other)


def _text(size: Size) -> str:
    """Return a size in words."""
    return f"{size[0]} x {size[1]}"


def _tuple(values: Any) -> Any:
    """Return a JSON list as the tuple that it was; anything else as it is."""
    return tuple(values) if isinstance(values, list) else values


def _are_numbers(values: Any, count: int) -> bool:
    """Return whether these are so many finite numbers."""
    return (
        isinstance(values, tuple)
        and len(values) == count
        and all(type(value) in (int, float) and abs(value) <= MAX_PIXELS for value in values)
    )


def _is_size(values: Any) -> bool:
    """Return whether this is the width and height of a picture that may be decoded."""
    return (
        _are_numbers(values, 2)
        and all(type(value) is int and value > 0 for value in values)
        and math.prod(values) <= MAX_PIXELS
    )
