import contextlib
import io
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms

from imagic_lora.errors import ImageError, ImagicWarning
from imagic_lora.images import colours
from imagic_lora.images.png import read_record
from imagic_lora.images.reading import FORMATS, open_image, open_mask
from tests.support.pictures import RED, WHITE, colour_profile, noise, saved


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


# Colours


def test_a_wide_profile_is_obeyed(tmp_path: Path) -> None:
    """A photo in another colour space looks as it does in a viewer that knows the space."""
    profile = colour_profile(b"RGB ")
    seen = Image.new("RGB", (20, 20), (90, 160, 70))
    srgb = ImageCms.createProfile("sRGB")
    wide = ImageCms.profileToProfile(seen, srgb, io.BytesIO(profile))
    assert wide is not None

    rgb = open_image(saved(wide, tmp_path / "a.png", icc_profile=profile))

    assert np.abs(np.asarray(wide, int) - np.asarray(seen)).max() > 15
    assert np.abs(np.asarray(rgb, int) - np.asarray(seen)).max() <= 1


def adobe(index: str | bytes, space: int = 0xFFFF) -> Image.Exif:
    """Return what a camera that was set to Adobe RGB writes."""
    exif = Image.Exif()
    exif[ExifTags.IFD.Exif] = {
        ExifTags.Base.ColorSpace: space,
        ExifTags.IFD.Interop: {ExifTags.Interop.InteropIndex: index},
    }
    return exif


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_adobe_rgb_that_exif_alone_tells_of_is_obeyed(name: str, tmp_path: Path) -> None:
    """Photos of cameras look as they would with the profile that is left out."""
    options: dict[str, Any] = {} if name == "a.png" else {"quality": 95, "lossless": True}
    plain = saved(noise(), tmp_path / f"plain-{name}", **options)
    known = open_image(
        saved(noise(), tmp_path / f"known-{name}", icc_profile=colour_profile(b"RGB "), **options)
    )

    told = open_image(saved(noise(), tmp_path / name, exif=adobe("R03"), **options))

    assert np.abs(np.asarray(known, int) - np.asarray(told)).max() <= 2
    assert np.abs(np.asarray(open_image(plain), int) - np.asarray(told)).max() > 15


@pytest.mark.parametrize("exif", [adobe("R98", 1), adobe("R98"), adobe(b"\xff\xfe")])
def test_exif_that_tells_of_no_adobe_rgb_changes_no_value(exif: Image.Exif, tmp_path: Path) -> None:
    """Only what is said for sure is obeyed."""
    path = saved(noise(), tmp_path / "a.png", exif=exif)

    assert noise().tobytes() == open_image(path).tobytes()


def test_transparency_and_a_profile_go_together() -> None:
    """Colours are converted before they are laid on white."""
    image = Image.new("RGBA", (20, 20), (90, 160, 70, 255))
    image.paste((90, 160, 70, 0), (0, 0, 10, 20))
    image.info["icc_profile"] = colour_profile(b"RGB ")
    opaque = image.convert("RGB")

    rgb = open_image(image)

    assert WHITE == rgb.getpixel((0, 0))
    assert open_image(opaque).getpixel((19, 0)) == rgb.getpixel((19, 0)) != (90, 160, 70)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_grey_profile_is_obeyed(dtype: Any) -> None:
    """Linear light is lighter on a screen than its numbers are, in 8 bits and in 16."""
    grey = Image.fromarray(np.full((20, 20), np.iinfo(dtype).max // 2, dtype))
    grey.info["icc_profile"] = colour_profile(b"GRAY", gamma=1.0)

    assert [(400, (187, 187, 187))] == open_image(grey).getcolors()


def test_a_profile_of_srgb_changes_no_value() -> None:
    """What most cameras write leaves every pixel as it is, to the last level."""
    image = noise()
    image.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

    assert noise().tobytes() == open_image(image).tobytes()


@pytest.mark.parametrize(
    "profile",
    [b"junk", colour_profile(b"GRAY"), colour_profile(b"CMYK"), colour_profile(b"RGB ")[:200]],
)
def test_a_profile_that_cannot_be_used_is_a_note(profile: bytes) -> None:
    """The picture is read as if it had none, and this is said."""
    image = noise()
    image.info["icc_profile"] = profile

    with pytest.warns(ImagicWarning, match=r"colour profile of the image cannot be used"):
        rgb = open_image(image)

    assert noise().tobytes() == rgb.tobytes()


# Masks


def _painted(mode: str) -> Image.Image:
    """Return a layer of which the left is painted white, the middle half so, the right not."""
    layer = Image.new("RGBA", (30, 20), (255, 255, 255, 0))
    layer.paste((255, 255, 255, 255), (0, 0, 10, 20))
    layer.paste((255, 255, 255, 128), (10, 0, 20, 20))
    return layer.convert(mode)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "RGBa"])
def test_of_a_mask_what_is_not_painted_is_black(mode: str) -> None:
    """A mask on a transparent layer is the mask that it looks like, soft edges and all."""
    mask = open_mask(_painted(mode))

    assert "L" == mask.mode
    assert [255, 128, 0] == [mask.getpixel((x, 5)) for x in (5, 15, 25)]


def test_a_mask_with_a_transparent_palette_colour_is_read_as_painted(tmp_path: Path) -> None:
    """White that is transparent is no paint."""
    palette = Image.new("P", (20, 20), 0)
    palette.putpalette([255, 255, 255, 255, 255, 255])
    palette.paste(1, (0, 0, 10, 20))

    mask = open_mask(saved(palette, tmp_path / "a.png", transparency=0))

    assert [255, 0] == [mask.getpixel((x, 5)) for x in (5, 15)]


def test_an_opaque_mask_is_what_it_shows() -> None:
    """Its greys are kept; an inverted mask is the user's to invert."""
    grey = Image.linear_gradient("L")

    assert grey.tobytes() == open_mask(grey.convert("RGB")).tobytes()


def _photo_with_a_hole() -> Image.Image:
    """Return what some tools save for a mask: the photo, transparent where it may change."""
    photo = noise().convert("RGBA")
    photo.paste((0, 0, 0, 0), (0, 0, 20, 20))
    return photo


@pytest.mark.parametrize(
    "image",
    [Image.new("RGB", (20, 20), RED), noise(), _photo_with_a_hole()],
    ids=["red", "photo", "photo with a hole"],
)
def test_a_mask_with_colours_is_refused(image: Image.Image) -> None:
    """Nobody can tell what of it is to change; how bright a colour is says nothing."""
    with pytest.raises(ImageError, match=r"has colours.*paint white"):
        open_mask(image)


def test_the_colours_of_a_lossy_format_are_none(tmp_path: Path) -> None:
    """A black and white mask may be a JPEG."""
    mask = Image.new("RGB", (64, 64))
    mask.paste(WHITE, (5, 9, 40, 51))

    found = np.asarray(open_mask(saved(mask, tmp_path / "a.jpg", quality=30)).convert("L"))

    assert found[20, 20] > 127 > found[60, 60]


# Size and surroundings


def test_a_large_picture_is_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit each pixel is the mean of four, in bands as in one piece."""
    monkeypatch.setattr(colours, "LARGE", 48 * 31)
    monkeypatch.setattr(colours, "_BAND", 48 * 5)
    image = noise(49, 33)

    assert image.reduce(2).tobytes() == open_image(image).tobytes()


def test_bands_leave_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture that is converted in pieces is the same, turned or not."""
    image = noise(40, 30).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.getexif()[0x0112] = 6
    at_once = open_image(image)

    monkeypatch.setattr(colours, "_BAND", 40 * 7)

    assert (30, 40) == at_once.size
    assert at_once.tobytes() == open_image(image).tobytes()


@pytest.mark.parametrize("form", ["WEBP", "JPEG", "JPEG2000", "AVIF", "TIFF"])
def test_formats_that_take_more_memory_have_a_lower_limit(form: str) -> None:
    """A few kilobytes never take gigabytes; the size of a header is checked before anything."""
    image = Image.new("1", (10_000, 7_500))
    image.format = form

    with pytest.raises(ImageError, match=r"has 10000 x 7500 pixels, allowed are [2-7]\d million"):
        open_image(image)


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_pixels_of_four_inks_have_a_lower_limit(form: str) -> None:
    """What takes more memory a pixel may have fewer of them."""
    image = Image.new("CMYK", (10_000, 5_100))
    image.format = form

    with pytest.raises(ImageError, match=r"has 10000 x 5100 pixels, allowed are [45]0 million"):
        open_image(image)


def test_a_large_jpeg_is_halved_while_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never lies in memory whole; what comes of it is what halving it afterwards gives."""
    path = saved(Image.linear_gradient("L").convert("RGB"), tmp_path / "a.jpg", quality=100)
    whole = open_image(path)
    monkeypatch.setattr(colours, "LARGE", 255 * 255)
    sizes: list[tuple[int, int]] = []

    def flat(image: Image.Image, *_: str) -> Image.Image:
        sizes.append(image.size)
        return image.copy()

    monkeypatch.setattr(colours, "flat", flat)

    halved = open_image(path)

    assert [(128, 128)] == sizes
    gaps = np.asarray(whole.reduce(2), int) - np.asarray(halved, int)
    assert np.abs(gaps).max() <= 2


def test_reading_in_threads_leaves_the_filters_of_warnings_alone(tmp_path: Path) -> None:
    """They are the whole process's; nor does damaged metadata make an error of a warning."""
    path = saved(noise(), tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    bomb = _bytes(_png_header(12_000, 12_000))(tmp_path)
    program = f"""
import warnings
from concurrent.futures import ThreadPoolExecutor
from imagic_lora.errors import ImageError
from imagic_lora.images.reading import open_image
def read(number):
    open_image({str(path)!r})
    try:
        open_image({str(bomb)!r})
    except ImageError:
        return number
before = list(warnings.filters)
assert list(range(200)) == list(ThreadPoolExecutor(4).map(read, range(200)))
assert before == warnings.filters
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


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


def _pipe(folder: Path) -> Path:
    """Return a pipe into which nobody writes."""
    os.mkfifo(folder / "a.png")
    return folder / "a.png"


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
        (lambda folder: folder / "a\0b", r"cannot read '.*a\\x00b': embedded null"),
        (lambda folder: folder / "\ud800", r"cannot read '.*\\ud800': "),
        (lambda folder: folder / ("x" * 5_000), r"cannot read '.{,80}': File name too long"),
        (_pipe, "it is a device or a pipe; give one image file"),
        (lambda _: Path("/dev/zero"), "it is a device or a pipe"),
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


_HEIC = b"\0\0\0\x1cftypheic\0\0\0\0mif1heic"


def test_a_heic_photo_without_its_reader_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has a phone's photo learns what to install."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)

    with pytest.raises(ImageError, match=r"HEIC photo.*pip install 'imagic-lora\[heif\]'"):
        open_image(_bytes(_HEIC)(tmp_path))


def test_a_heic_photo_is_read_where_its_reader_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a picture like any other."""
    reader = SimpleNamespace(HeifImageFile=lambda path: noise() if path.is_file() else None)
    monkeypatch.setitem(sys.modules, "pillow_heif", reader)

    assert noise().tobytes() == open_image(_bytes(_HEIC)(tmp_path)).tobytes()


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


def test_a_damaged_picture_prints_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What Pillow's own readers are written in would write to the terminal by the hundred lines."""
    Image.effect_noise((64, 64), 50).convert("RGB").save(tmp_path / "a.tif", compression="tiff_lzw")
    data = bytearray((tmp_path / "a.tif").read_bytes())
    for place in range(200, len(data) - 300, 37):
        data[place] ^= 0xFF
    (tmp_path / "a.tif").write_bytes(data)

    with pytest.raises(ImageError, match="damaged"):
        open_image(tmp_path / "a.tif")

    assert ("", "") == capfd.readouterr()
