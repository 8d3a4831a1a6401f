import contextlib
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from imagic_lora.errors import ImageError, ImagicWarning
from imagic_lora.images.png import read_record
from imagic_lora.images.reading import FORMATS, open_image
from tests.support.pictures import RED, WHITE, noise, saved


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
    rgb = open_image(saved(Image.new("RGB", (32, 24), RED), tmp_path / name, **options))

    assert ("RGB", (32, 24)) == (rgb.mode, rgb.size)
    assert np.abs(np.asarray(rgb, dtype=int) - RED).max() <= 3


def test_a_cmyk_jpeg_keeps_its_colour(tmp_path: Path) -> None:
    """Print colours come out as the colours that they print."""
    path = saved(Image.new("RGB", (32, 32), RED).convert("CMYK"), tmp_path / "a.jpg")

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

    opaque = open_image(saved(palette, tmp_path / "opaque.png"))
    transparent = open_image(saved(palette, tmp_path / "transparent.png", transparency=0))

    assert RED == opaque.getpixel((0, 0))
    assert WHITE == transparent.getpixel((0, 0))


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_16_bit_greys_are_scaled(tmp_path: Path, name: str) -> None:
    """The 65536 levels are spread over the 256, not cut off at the 256th."""
    levels = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257
    path = saved(Image.fromarray(levels), tmp_path / name)

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

    rgb = open_image(saved(stored, tmp_path / "a.png", exif=exif))

    assert ((40, 20) if orientation < 5 else (20, 40)) == rgb.size
    assert RED == rgb.getpixel((corner[0] * (rgb.width - 1), corner[1] * (rgb.height - 1)))


def test_damaged_exif_does_not_spoil_a_picture(tmp_path: Path) -> None:
    """Metadata that cannot be read is no reason to refuse, or to warn of, a whole picture."""
    path = saved(noise(), tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")

    assert (48, 32) == open_image(path).size


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.tif"])
def test_of_an_animation_the_first_frame_is_used(tmp_path: Path, name: str) -> None:
    """The other frames are dropped, and this is said."""
    frames = [Image.new("RGB", (32, 32), colour) for colour in (RED, WHITE, (0, 0, 255))]
    options = {"lossless": True} if name.endswith("webp") else {}
    path = saved(frames[0], tmp_path / name, save_all=True, append_images=frames[1:], **options)

    with pytest.warns(ImagicWarning, match=rf"{name}' has 3 frames; only frame 1 is used\."):
        rgb = open_image(path)

    assert [(1024, RED)] == rgb.getcolors()


def test_a_phones_photo_with_an_extra_picture_is_no_animation(tmp_path: Path) -> None:
    """The hidden second picture in many phones' JPEGs is not worth a warning."""
    path = saved(noise(), tmp_path / "a.mpo", save_all=True, append_images=[noise()])

    assert (48, 32) == open_image(path).size


def test_an_open_image_is_left_as_it_is() -> None:
    """What the caller passed stays theirs: the result is another image."""
    original = noise()
    before = original.tobytes()

    rgb = open_image(original)
    rgb.putpixel((0, 0), RED)

    assert before == original.tobytes()


def test_the_content_decides_not_the_extension(tmp_path: Path) -> None:
    """A PNG that is called .jpg is read as the PNG that it is."""
    path = tmp_path / "a.jpg"
    noise().save(path, "PNG")

    assert noise().tobytes() == open_image(str(path)).tobytes()


# Refusing


def _damaged(name: str, keep: float) -> Callable[[Path], Path]:
    """Return a writer of the first part of a picture."""

    def write(folder: Path) -> Path:
        path = saved(noise(200, 200), folder / name)
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
    frames = {"save_all": True, "append_images": [noise()]} if form in {"GIF", "WEBP"} else {}
    noise().save(buffer, form, **frames)
    damaged = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "a"
    path.write_bytes(damaged[: data.draw(st.integers(1, len(damaged)))])

    for read in (open_image, read_record):
        with contextlib.suppress(ImageError):
            read(path)
