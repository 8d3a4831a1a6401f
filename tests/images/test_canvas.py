import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from imagic_lora.errors import ImageError, ImagicWarning
from imagic_lora.images.canvas import Frame, canvas
from tests.support.pictures import WHITE, noise


@pytest.mark.parametrize(
    ("image_size", "native", "multiple", "expected"),
    [
        ((64, 64), 64, 8, (64, 64)),
        ((1000, 1000), 512, 8, (512, 512)),
        ((1920, 1080), 512, 8, (680, 384)),
        ((1080, 1920), 512, 8, (384, 680)),
        ((3000, 2000), 512, 64, (640, 448)),
        ((1600, 1200), 1024, 8, (1184, 888)),
    ],
)
def test_a_canvas_keeps_the_shape_at_the_native_area(
    image_size: tuple[int, int], native: int, multiple: int, expected: tuple[int, int]
) -> None:
    """The area is what the model was trained on, the shape is the image's."""
    assert expected == canvas(image_size, native=native, multiple=multiple)


@given(
    image_size=st.tuples(st.integers(400, 1000), st.integers(400, 1000)),
    native=st.sampled_from([64, 256, 512, 768, 1024]),
    multiple=st.sampled_from([8, 16]),
)
def test_any_canvas_is_near_the_area_and_the_shape(
    image_size: tuple[int, int], native: int, multiple: int
) -> None:
    """Both sides are multiples, each within half a multiple of the exact one."""
    exact_width = native * (image_size[0] / image_size[1]) ** 0.5

    chosen = canvas(image_size, native=native, multiple=multiple)

    for side, exact in zip(chosen, (exact_width, native**2 / exact_width), strict=True):
        assert 0 == side % multiple
        assert abs(side - exact) <= multiple / 2 + 1e-6


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [(320, None, (320, 240)), (None, 320, (424, 320)), (320, 320, (320, 320))],
)
def test_a_side_that_is_given_is_kept(
    width: int | None, height: int | None, expected: tuple[int, int]
) -> None:
    """One side given: the other follows the shape; both given: both are taken as they are."""
    asked = canvas((1600, 1200), native=512, multiple=8, width=width, height=height)

    assert expected == asked


@pytest.mark.parametrize(("asked", "used"), [(500, 504), (3, 8), (515, 512)])
def test_a_side_that_is_no_multiple_is_rounded_and_this_is_said(asked: int, used: int) -> None:
    """The warning holds both the size asked for and the one used."""
    with pytest.warns(ImagicWarning, match=f"^width {asked} is no multiple of 8; {used} is used"):
        size = canvas((100, 100), native=512, multiple=8, width=asked, height=512)

    assert (used, 512) == size


@pytest.mark.parametrize("image_size", [(4000, 400), (400, 4000)])
def test_a_very_long_image_is_limited_and_this_is_said(image_size: tuple[int, int]) -> None:
    """Beyond the longest allowed shape the ends are cropped, with a warning."""
    with pytest.warns(ImagicWarning, match=r"longer than 2\.5 to 1; its ends are cropped"):
        width, height = canvas(image_size, native=512, multiple=8)

    assert 2.4 < max(width, height) / min(width, height) < 2.6


def test_a_long_canvas_can_be_asked_for() -> None:
    """The limit is a default: sizes that the user gives are taken, without a warning."""
    assert (1280, 128) == canvas((4000, 400), native=512, multiple=8, width=1280, height=128)


@pytest.mark.parametrize(
    ("centre", "zoom", "expected"),
    [
        ((0.5, 0.5), 1, (30, 0, 70, 40)),
        ((0, 0), 1, (0, 0, 40, 40)),
        ((1, 1), 1, (60, 0, 100, 40)),
        ((1, 1), 2, (80, 20, 100, 40)),
        ((0.5, 0.5), 1000, (49.5, 19.5, 50.5, 20.5)),
    ],
)
def test_a_part_of_an_image_has_the_shape_of_the_canvas(
    centre: tuple[float, float], zoom: float, expected: tuple[float, float, float, float]
) -> None:
    """The largest part is taken, or a smaller one, from where it is asked for."""
    assert expected == Frame.of((100, 40), (64, 64), centre=centre, zoom=zoom).box


# Frames

SIZES = st.tuples(st.integers(16, 200), st.integers(16, 200))


@given(whole=SIZES, size=SIZES)
def test_a_frame_is_the_middle_of_a_picture(whole: tuple[int, int], size: tuple[int, int]) -> None:
    """By itself it is what Pillow's own fit cuts out, bit for bit."""
    image = noise(*whole)

    cut = Frame.of(whole, size).cut(image)

    assert ImageOps.fit(image, size, Image.Resampling.LANCZOS).tobytes() == cut.tobytes()


@pytest.mark.parametrize(
    ("centre", "zoom", "expected"),
    [
        ((0.5, 0.5), 1, (30, 0, 70, 40)),
        ((0, 0), 1, (0, 0, 40, 40)),
        ((1, 1), 2, (80, 20, 100, 40)),
        ((0.5, 0.5), 1000, (49.5, 19.5, 50.5, 20.5)),
    ],
)
def test_a_frame_can_be_moved_and_narrowed(
    centre: tuple[float, float], zoom: float, expected: tuple[float, ...]
) -> None:
    """It keeps the shape of its canvas and stays within the picture."""
    assert expected == Frame.of((100, 40), (64, 64), centre=centre, zoom=zoom).box


def test_a_frame_cuts_only_the_picture_that_it_is_for() -> None:
    """Of another picture its box would be another part."""
    with pytest.raises(ImageError, match=r"is 48 x 32 pixels, but its frame is for one of 64 x 32"):
        Frame.of((64, 32), (16, 16)).cut(noise())


CORNER = Frame((800, 400), (600, 200, 800, 400), (64, 64))


@pytest.mark.parametrize("drawn_at", [(800, 400), (1600, 800), (400, 200), (401, 200)])
def test_a_mask_over_the_whole_picture_lies_where_it_was_drawn(drawn_at: tuple[int, int]) -> None:
    """What it marks of the framed part is marked there, whatever its resolution."""
    mask = Image.new("L", (800, 400))
    mask.paste(255, (700, 300, 800, 400))
    mask.paste(255, (0, 0, 500, 100))

    cut = CORNER.cut_mask(mask.resize(drawn_at, Image.Resampling.NEAREST))

    assert [[0, 0], [0, 255]] == [[cut.getpixel((x, y)) for x in (8, 56)] for y in (8, 56)]


@pytest.mark.parametrize("drawn_at", [(64, 64), (200, 200), (33, 32)])
def test_a_mask_over_the_framed_part_covers_all_of_it(drawn_at: tuple[int, int]) -> None:
    """A mask with the canvas's shape was drawn on what the canvas shows."""
    mask = Image.new("L", drawn_at)
    mask.paste(255, (0, 0, drawn_at[0] // 2, drawn_at[1]))

    cut = CORNER.cut_mask(mask)

    assert [255, 0] == [cut.getpixel((x, 32)) for x in (8, 56)]


def test_a_mask_of_the_very_picture_lies_on_it_even_where_the_canvas_is_as_large() -> None:
    """Where both shapes are one, the picture's own size is the whole picture."""
    zoomed = Frame((64, 64), (32, 32, 64, 64), (64, 64))
    mask = Image.new("L", (64, 64))
    mask.paste(255, (48, 0, 64, 64))

    assert [0, 255] == [zoomed.cut_mask(mask).getpixel((x, 32)) for x in (8, 56)]


def test_a_mask_of_another_shape_is_refused() -> None:
    """It is never stretched or cropped in silence."""
    sentence = r"^The mask is 300 x 400 pixels; allowed is .* 800 x 400, .* 64 x 64: draw it .*\.$"

    with pytest.raises(ImageError, match=sentence):
        CORNER.cut_mask(Image.new("L", (300, 400), WHITE[0]))


def test_a_mask_that_is_turned_is_told_so() -> None:
    """Tools that ignore EXIF draw over the photo as the sensor saw it."""
    with pytest.raises(ImageError, match=r"400 x 800 pixels.*turn it as the photo is turned\.$"):
        CORNER.cut_mask(Image.new("L", (400, 800), WHITE[0]))


@given(whole=SIZES, size=SIZES, centre=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_a_frame_survives_json(
    whole: tuple[int, int], size: tuple[int, int], centre: tuple[float, float]
) -> None:
    """What was written is read, to the last bit."""
    frame = Frame.of(whole, size, centre=centre, zoom=1.7)

    assert frame == Frame.from_json(json.loads(json.dumps(frame.to_json())))


@pytest.mark.parametrize(
    "values",
    [
        None,
        [],
        {},
        {"whole": [8, 8], "box": [0, 0, 8, 8], "size": [8, 8], "more": 1},
        *[dict[str, Any](whole=[8, 8], box=[0, 0, 8, 8], size=[8, 8]) | {name: value}
          for name in ("whole", "box", "size")
          for value in (None, "88", 8, [], [8], [8.5, 8], [0, 0, 0, 8], [-1, 8], [0, 0, 9, 8],
                        [True, 8], [8, 10**400], [9000, 9000], [0, 0, 8, math.nan],
                        [0, 0, 8, 10**400], [[8], [8]], ["x" * 10**6, 8])],
    ],
)  # fmt: skip
def test_what_is_no_frame_is_refused(values: Any) -> None:
    """A hostile record gets one short sentence, and no other error."""
    with pytest.raises(ImageError, match=r"^The frame was .*\.$") as caught:
        Frame.from_json(values)

    assert 400 > len(str(caught.value))
