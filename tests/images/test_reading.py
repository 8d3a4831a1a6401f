import contextlib
import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from imagic_lora.errors import ImageError, ImagicWarning, OutputError
from imagic_lora.images.reading import (
    FORMATS,
    canvas,
    crop_box,
    image_hash,
    open_image,
    read_record,
    save_png,
    to_images,
    to_mask,
    to_pixels,
)

RED = (255, 0, 0)
WHITE = (255, 255, 255)


def _noise(width: int = 48, height: int = 32) -> Image.Image:
    """Return a picture in which every pixel differs from its neighbours."""
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def _saved(image: Image.Image, path: Path, **options: Any) -> Path:
    """Save a picture and return where."""
    image.save(path, **options)
    return path


def _png_header(width: int, height: int) -> bytes:
    """Return a PNG that claims a size and holds no pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    end = b"\0\0\0\0IDAT\x35\xaf\x06\x1e"
    return b"\x89PNG\r\n\x1a\n\0\0\0\r" + chunk + struct.pack(">I", zlib.crc32(chunk)) + end


# Reading


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    """A white picture is white in RGB whatever mode it was held in."""
    rgb = open_image(Image.new("RGB", (20, 20), WHITE).convert(mode))

    assert "RGB" == rgb.mode
    assert [(400, WHITE)] == rgb.getcolors()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.png", {}),
        ("a.jpg", {}),
        ("a.webp", {}),
        ("a.gif", {}),
        ("a.bmp", {}),
        ("a.tif", {}),
        ("a.tif", {"compression": "tiff_lzw"}),
        ("a.avif", {}),
        ("a.jp2", {}),
        ("a.ppm", {}),
    ],
)
def test_every_usual_format_is_read(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    """Each format that the message of an unknown file lists can be read."""
    rgb = open_image(_saved(Image.new("RGB", (32, 24), RED), tmp_path / name, **options))

    assert ("RGB", (32, 24)) == (rgb.mode, rgb.size)
    assert np.abs(np.asarray(rgb, dtype=int) - RED).max() <= 3


def test_a_cmyk_jpeg_keeps_its_colour(tmp_path: Path) -> None:
    """Print colours come out as the colours that they print."""
    path = _saved(Image.new("RGB", (32, 32), RED).convert("CMYK"), tmp_path / "a.jpg")

    assert np.abs(np.asarray(open_image(path), dtype=int) - RED).max() <= 3


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparency_is_laid_on_white(mode: str) -> None:
    """What cannot be seen becomes white, not the colour hidden beneath."""
    hidden = Image.new("RGBA", (20, 20), (0, 0, 0, 0))

    assert [(400, WHITE)] == open_image(hidden.convert(mode)).getcolors()


def test_half_transparency_is_mixed_with_white() -> None:
    """Black at half opacity is a middle grey."""
    rgb = open_image(Image.new("RGBA", (20, 20), (0, 0, 0, 128)))

    assert [(400, (127, 127, 127))] == rgb.getcolors()


def test_a_transparent_palette_colour_is_white(tmp_path: Path) -> None:
    """A palette's transparent entry is laid on white like any other transparency."""
    palette = Image.new("P", (20, 20), 0)
    palette.putpalette([255, 0, 0, 0, 0, 255])

    opaque = open_image(_saved(palette, tmp_path / "opaque.png"))
    transparent = open_image(_saved(palette, tmp_path / "transparent.png", transparency=0))

    assert RED == opaque.getpixel((0, 0))
    assert WHITE == transparent.getpixel((0, 0))


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_16_bit_greys_are_scaled(tmp_path: Path, name: str) -> None:
    """The 65536 levels are spread over the 256, not cut off at the 256th."""
    levels = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257
    path = _saved(Image.fromarray(levels), tmp_path / name)

    assert np.array_equal(np.arange(256).reshape(16, 16), np.asarray(open_image(path))[..., 0])


def test_16_bit_greys_held_as_integers_are_scaled() -> None:
    """Readers that hand out 16 bits in 32-bit integers give the same picture."""
    levels = np.arange(256, dtype=np.int32).reshape(16, 16) * 257

    rgb = open_image(Image.fromarray(levels))

    assert np.array_equal(np.arange(256).reshape(16, 16), np.asarray(rgb)[..., 0])


@pytest.mark.parametrize(
    "values",
    [np.full((16, 16), 70_000, np.int32), np.full((16, 16), 0.5, np.float32)],
    ids=["32-bit", "float"],
)
def test_values_without_a_fixed_white_are_refused(values: Any) -> None:
    """Where it is unknown which value is white, no guess is made."""
    with pytest.raises(ImageError, match="save it with 8 or 16 bits per channel"):
        open_image(Image.fromarray(values))


@pytest.mark.parametrize(
    ("orientation", "corner"),
    [
        (1, (0, 0)),
        (2, (1, 0)),
        (3, (1, 1)),
        (4, (0, 1)),
        (5, (0, 0)),
        (6, (1, 0)),
        (7, (1, 1)),
        (8, (0, 1)),
    ],
)
def test_photos_are_turned_upright(
    tmp_path: Path, orientation: int, corner: tuple[int, int]
) -> None:
    """The corner that the camera stored first lands where EXIF says that it belongs."""
    stored = Image.new("RGB", (40, 20), WHITE)
    stored.putpixel((0, 0), RED)
    exif = Image.Exif()
    exif[0x0112] = orientation

    rgb = open_image(_saved(stored, tmp_path / "a.png", exif=exif))

    assert ((40, 20) if orientation < 5 else (20, 40)) == rgb.size
    assert RED == rgb.getpixel((corner[0] * (rgb.width - 1), corner[1] * (rgb.height - 1)))


def test_damaged_exif_does_not_spoil_a_picture(tmp_path: Path) -> None:
    """Metadata that cannot be read is no reason to refuse, or to warn of, a whole picture."""
    path = _saved(_noise(), tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")

    assert (48, 32) == open_image(path).size


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.tif"])
def test_of_an_animation_the_first_frame_is_used(tmp_path: Path, name: str) -> None:
    """The other frames are dropped, and this is said."""
    frames = [Image.new("RGB", (32, 32), colour) for colour in (RED, WHITE, (0, 0, 255))]
    options = {"lossless": True} if name.endswith("webp") else {}
    path = _saved(frames[0], tmp_path / name, save_all=True, append_images=frames[1:], **options)

    with pytest.warns(ImagicWarning, match=rf"{name}' has 3 frames; only frame 1 is used\."):
        rgb = open_image(path)

    assert [(1024, RED)] == rgb.getcolors()


def test_a_phones_photo_with_an_extra_picture_is_no_animation(tmp_path: Path) -> None:
    """The hidden second picture in many phones' JPEGs is not worth a warning."""
    path = _saved(_noise(), tmp_path / "a.mpo", save_all=True, append_images=[_noise()])

    assert (48, 32) == open_image(path).size


def test_an_open_image_is_left_as_it_is() -> None:
    """What the caller passed stays theirs: the result is another image."""
    original = _noise()
    before = original.tobytes()

    rgb = open_image(original)
    rgb.putpixel((0, 0), RED)

    assert before == original.tobytes()


def test_the_content_decides_not_the_extension(tmp_path: Path) -> None:
    """A PNG that is called .jpg is read as the PNG that it is."""
    path = tmp_path / "a.jpg"
    _noise().save(path, "PNG")

    assert _noise().tobytes() == open_image(str(path)).tobytes()


# Refusing


def _damaged(name: str, keep: float) -> Callable[[Path], Path]:
    """Return a writer of the first part of a picture."""

    def write(folder: Path) -> Path:
        path = _saved(_noise(200, 200), folder / name)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
        return path

    return write


def _bytes(data: bytes) -> Callable[[Path], Path]:
    """Return a writer of these bytes."""

    def write(folder: Path) -> Path:
        path = folder / "a.png"
        path.write_bytes(data)
        return path

    return write


def _animation() -> bytes:
    """Return a GIF of two frames, whose second is headed by a block that a cut can split."""
    frames = [Image.new("RGB", (16, 16), colour) for colour in (WHITE, RED)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda folder: folder / "a.png", "a.png': there is no such file"),
        (lambda folder: folder, "it is a folder; give one image file"),
        (_bytes(b""), "the file is empty"),
        (_bytes(b"hello"), "it is not an image that is known here.*allowed are PNG, JPEG"),
        (_damaged("a.eps", 1.0), "it is not an image that is known here"),
        (_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 50), "cannot read"),
        (_damaged("a.png", 0.5), "damaged or cut off"),
        (_damaged("a.jpg", 0.5), "damaged or cut off"),
        (_damaged("a.webp", 0.5), "cannot read"),
        (_bytes(_animation()[:-40]), "damaged or cut off"),
        (_bytes(_png_header(1, 1)), "1 x 1 pixels, allowed is 16 or more a side"),
        (_bytes(_png_header(500, 15)), "500 x 15 pixels, allowed is 16 or more a side"),
        (_bytes(_png_header(9_000, 9_000)), "9000 x 9000 pixels, allowed are 80 million in all"),
        (_bytes(_png_header(12_000, 12_000)), "12000 x 12000 pixels, allowed are 80 million"),
        (_bytes(_png_header(65_000, 65_000)), "too many pixels, allowed are 80 million"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(
    tmp_path: Path, write: Callable[[Path], Path], message: str
) -> None:
    """Each bad file gets an ImageError that says what was found; sizes are read from headers."""
    with pytest.raises(ImageError, match=message) as caught:
        open_image(write(tmp_path))

    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_pillows_own_limits_are_left_alone(tmp_path: Path) -> None:
    """Refusing a decompression bomb changes no setting of Pillow's for the rest of the program."""
    before = Image.MAX_IMAGE_PIXELS

    with pytest.raises(ImageError):
        open_image(_bytes(_png_header(65_000, 65_000))(tmp_path))

    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.filterwarnings("ignore::imagic_lora.ImagicWarning")
def test_no_damage_raises_anything_but_our_error(
    tmp_path: Path, form: str, data: st.DataObject
) -> None:
    """A damaged file of any format is read or refused, never a crash of its reader."""
    buffer = io.BytesIO()
    frames = {"save_all": True, "append_images": [_noise()]} if form in {"GIF", "WEBP"} else {}
    _noise().save(buffer, form, **frames)
    damaged = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "a"
    path.write_bytes(damaged[: data.draw(st.integers(1, len(damaged)))])

    for read in (open_image, read_record):
        with contextlib.suppress(ImageError):
            read(path)


# Choosing a canvas


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


# Pixels


def test_pixels_run_from_black_to_white() -> None:
    """Black is -1, white is 1, the layout is (1, 3, H, W), the type float32."""
    image = Image.new("RGB", (24, 16), (0, 255, 51))

    pixels = to_pixels(image, (24, 16))

    assert ((1, 3, 16, 24), torch.float32) == (tuple(pixels.shape), pixels.dtype)
    assert [-1.0, 1.0, pytest.approx(-0.6)] == pixels[0, :, 3, 5].tolist()


def test_pixels_and_images_are_inverses() -> None:
    """At its own size, every one of the 256 levels survives the way there and back."""
    image = _noise(64, 40)

    (back,) = to_images(to_pixels(image, image.size))

    assert image.tobytes() == back.tobytes()


def test_an_image_covers_its_canvas_about_its_centre() -> None:
    """Nothing is squeezed: what is too wide is cut off alike on both sides."""
    image = Image.new("RGB", (96, 32), WHITE)
    image.paste(RED, (32, 0, 64, 32))

    (square,) = to_images(to_pixels(image, (32, 32)))

    assert [(1024, RED)] == square.getcolors()


@pytest.mark.parametrize(
    ("centre", "zoom", "expected"),
    [
        ((0.5, 0.5), 1, (30, 0, 70, 40)),
        ((0, 0), 1, (0, 0, 40, 40)),
        ((1, 1), 1, (60, 0, 100, 40)),
        ((1, 1), 2, (80, 20, 100, 40)),
        ((0.5, 0.5), 1000, (50, 20, 51, 21)),
    ],
)
def test_a_part_of_an_image_has_the_shape_of_the_canvas(
    centre: tuple[float, float], zoom: float, expected: tuple[int, int, int, int]
) -> None:
    """The largest part is taken, or a smaller one, from where it is asked for."""
    assert expected == crop_box((100, 40), (64, 64), centre=centre, zoom=zoom)


@pytest.mark.parametrize("size", [(64, 64), (96, 40), (40, 96)])
def test_the_middle_part_is_what_a_canvas_shows_by_itself(size: tuple[int, int]) -> None:
    """Cutting the largest middle part first changes nothing about what is fitted."""
    image = Image.radial_gradient("L").resize((200, 120)).convert("RGB")

    cut = to_pixels(image.crop(crop_box(image.size, size)), size)

    assert (cut - to_pixels(image, size)).abs().mean() < 0.01


def test_each_picture_of_a_batch_becomes_an_image() -> None:
    """Values beyond the range are cut, half precision is fine, gradients are no hindrance."""
    pixels = torch.tensor([-3.0, 3.0]).view(2, 1, 1, 1).expand(2, 3, 16, 20).half()

    black, white = to_images(pixels.requires_grad_())

    assert [(320, (0, 0, 0))] == black.getcolors()
    assert [(320, WHITE)] == white.getcolors()
    assert (20, 16) == white.size


def test_a_hash_is_of_what_can_be_seen() -> None:
    """Equal pictures have equal hashes; another pixel or another shape has another."""
    image = _noise()
    changed = image.copy()
    changed.putpixel((0, 0), WHITE)
    reshaped = Image.frombytes("RGB", (32, 48), image.tobytes())

    assert image_hash(image) == image_hash(_noise())
    assert 3 == len({image_hash(image), image_hash(changed), image_hash(reshaped)})


# Records


RECORD = {"alpha": 0.9, "target": "a girl with a flower · 花", "nested": {"seed": 3, "none": None}}


def test_a_png_carries_its_record(tmp_path: Path) -> None:
    """What made a picture is read back from it as it was, and the pixels are untouched."""
    save_png(_noise(), tmp_path / "a.png", RECORD)

    assert RECORD == read_record(tmp_path / "a.png")
    assert _noise().tobytes() == open_image(tmp_path / "a.png").tobytes()


def test_a_png_never_replaces_a_file_unasked(tmp_path: Path) -> None:
    """Saving follows the rules of every file that is written."""
    save_png(_noise(), tmp_path / "a.png", {})

    with pytest.raises(OutputError):
        save_png(_noise(), tmp_path / "a.png", RECORD)

    save_png(_noise(), tmp_path / "a.png", RECORD, force=True)
    assert RECORD == read_record(tmp_path / "a.png")


@pytest.mark.parametrize("text", [None, "", "no JSON", "[1]", "3", "[" * 100_000])
def test_a_picture_without_a_record_has_none(tmp_path: Path, text: str | None) -> None:
    """A foreign or hostile text under our key is no record, and no crash."""
    info = PngImagePlugin.PngInfo()
    if text is not None:
        info.add_itxt("imagic_lora", text)

    assert read_record(_saved(_noise(), tmp_path / "a.png", pnginfo=info)) is None


def test_the_record_is_plain_json_in_the_file(tmp_path: Path) -> None:
    """Any tool that shows a PNG's texts shows the record."""
    save_png(_noise(), tmp_path / "a.png", RECORD)

    with Image.open(tmp_path / "a.png") as image:
        assert RECORD == json.loads(image.info["imagic_lora"])


def test_a_record_is_read_from_images_only(tmp_path: Path) -> None:
    """Another file is refused like any other image that cannot be read."""
    (tmp_path / "a.png").write_bytes(b"no image")

    with pytest.raises(ImageError):
        read_record(tmp_path / "a.png")


def test_a_mask_is_scaled_and_cropped_like_its_image() -> None:
    """White cells are where the white of the mask lies on the canvas."""
    mask = Image.new("RGB", (64, 32))
    mask.paste(WHITE, (48, 0, 64, 32))

    wide = to_mask(mask, (64, 32), (4, 8))
    half = to_mask(mask, (56, 32), (4, 7))  # crops four columns on either side

    assert wide[0, 0].tolist() == [[0, 0, 0, 0, 0, 0, 1, 1]] * 4
    assert half[0, 0].tolist() == [[0, 0, 0, 0, 0, 0.5, 1]] * 4


def test_a_grey_mask_is_a_share() -> None:
    """Grey lets a part of the edit through."""
    grey = to_mask(Image.new("RGB", (32, 32), (51, 51, 51)), (32, 32), (4, 4))

    torch.testing.assert_close(grey, torch.full((1, 1, 4, 4), 0.2))


def test_a_black_mask_is_refused() -> None:
    """A mask under which nothing may change is a mistake."""
    with pytest.raises(ImageError, match="black everywhere"):
        to_mask(Image.new("RGB", (32, 32)), (32, 32), (4, 4))
