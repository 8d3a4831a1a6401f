"""`edit --from PICTURE.png`: a picture is made again from its own record and the adapter."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from imagic_lora import Adapter
from imagic_lora.images.reading import open_image
from tests.support.command import Command, runner
from tests.support.tiny import Kind

HOW = ("--steps", 3, "--seeds", 7, "--guidance", 2, "--target", "a horse")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """Give a function that runs the command line in this process."""
    return runner(capsys)


@pytest.fixture
def place(tmp_path: Path, picture: Image.Image, adapter: Callable[[Kind], Adapter]) -> Path:
    """Give a folder with an adapter and a mask."""
    adapter("sd1").save(tmp_path / "cat.safetensors")
    mask = Image.new("L", picture.size)
    mask.paste(255, (0, 0, 16, 32))
    mask.save(tmp_path / "mask.png")
    return tmp_path


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("alpha", [-0.5, 0.0, 1.6])
def test_a_picture_is_made_again_bit_for_bit(
    alpha: float, *, masked: bool, run: Command, place: Path
) -> None:
    """Its record, the adapter and the mask are all that it takes."""
    mask = ("--mask", place / "mask.png") if masked else ()
    one, again = place / "one.png", place / "again.png"
    run("edit", place / "cat.safetensors", "--alpha", alpha, *HOW, *mask, "-o", one)

    done = run("edit", place / "cat.safetensors", "--from", one, *mask, "-o", again)

    assert 0 == done.code
    assert one.read_bytes() == again.read_bytes()


@pytest.mark.usefixtures("tiny")
def test_a_picture_is_made_again_under_the_mask_that_it_carries(run: Command, place: Path) -> None:
    """The mask need not be given twice."""
    one, again = place / "one.png", place / "again.png"
    mask = ("--mask", place / "mask.png")
    run("edit", place / "cat.safetensors", "--alpha", 1, *HOW, *mask, "-o", one)

    done = run("edit", place / "cat.safetensors", "--from", one, "-o", again)

    assert 0 == done.code
    assert open_image(one).tobytes() == open_image(again).tobytes()


@pytest.mark.usefixtures("tiny")
def test_another_mask_or_adapter_is_refused(
    run: Command, place: Path, adapter: Callable[[Kind], Adapter]
) -> None:
    """What cannot give the same picture says so before any work."""
    one, out = place / "one.png", place / "again.png"
    run("edit", place / "cat.safetensors", "--alpha", 1, *HOW, "-o", one)
    adapter("sd1").compact(40_000).save(place / "other.safetensors")
    mask = ("--mask", place / "mask.png")

    changed = run("edit", place / "cat.safetensors", "--from", one, *mask, "-o", out)
    other = run("edit", place / "other.safetensors", "--from", one, "-o", out)

    assert 2 == changed.code == other.code
    assert "was made without a mask, and another one was given" in changed.err
    assert "is another; give that one alone" in other.err
    assert not out.exists()
