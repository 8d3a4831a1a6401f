import json
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from imagic_lora.errors import ImageError, OutputError
from imagic_lora.images.png import image_hash, read_record, save_png
from imagic_lora.images.reading import open_image
from tests.support.pictures import WHITE, noise, saved


def test_a_hash_is_of_what_can_be_seen() -> None:
    """Equal pictures have equal hashes; another pixel or another shape has another."""
    image = noise()
    changed = image.copy()
    changed.putpixel((0, 0), WHITE)
    reshaped = Image.frombytes("RGB", (32, 48), image.tobytes())

    assert image_hash(image) == image_hash(noise())
    assert 3 == len({image_hash(image), image_hash(changed), image_hash(reshaped)})


RECORD = {"alpha": 0.9, "target": "a girl with a flower · 花", "nested": {"seed": 3, "none": None}}


def test_a_png_carries_its_record(tmp_path: Path) -> None:
    """What made a picture is read back from it as it was, and the pixels are untouched."""
    save_png(noise(), tmp_path / "a.png", RECORD)

    assert RECORD == read_record(tmp_path / "a.png")
    assert noise().tobytes() == open_image(tmp_path / "a.png").tobytes()


def test_a_png_never_replaces_a_file_unasked(tmp_path: Path) -> None:
    """Saving follows the rules of every file that is written."""
    save_png(noise(), tmp_path / "a.png", {})

    with pytest.raises(OutputError):
        save_png(noise(), tmp_path / "a.png", RECORD)

    save_png(noise(), tmp_path / "a.png", RECORD, force=True)
    assert RECORD == read_record(tmp_path / "a.png")


DEEP = '{"a":' * 40 + "1" + "}" * 40
LONG = f'{{"a": "{"x" * (1 << 20)}"}}'


@pytest.mark.parametrize(
    "text",
    [None, "", "no JSON", "[1]", "3", "[" * 100_000, DEEP, LONG],
    ids=lambda text: str(text)[:9],
)
def test_a_picture_without_a_record_has_none(tmp_path: Path, text: str | None) -> None:
    """A foreign or hostile text under our key is no record, and no crash."""
    info = PngImagePlugin.PngInfo()
    if text is not None:
        info.add_itxt("imagic_lora", text)

    assert read_record(saved(noise(), tmp_path / "a.png", pnginfo=info)) is None


def test_the_record_is_plain_json_in_the_file(tmp_path: Path) -> None:
    """Any tool that shows a PNG's texts shows the record."""
    save_png(noise(), tmp_path / "a.png", RECORD)

    with Image.open(tmp_path / "a.png") as image:
        assert RECORD == json.loads(image.info["imagic_lora"])


def test_a_record_is_read_from_images_only(tmp_path: Path) -> None:
    """Another file is refused like any other image that cannot be read."""
    (tmp_path / "a.png").write_bytes(b"no image")

    with pytest.raises(ImageError):
        read_record(tmp_path / "a.png")


def test_a_png_says_that_its_colours_are_srgb(tmp_path: Path) -> None:
    """A viewer that knows colour spaces shows what was meant."""
    save_png(noise(), tmp_path / "a.png", {})

    with Image.open(tmp_path / "a.png") as image:
        assert 0 == image.info["srgb"]
