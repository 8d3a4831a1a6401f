import io
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imagic_lora.images.reading import open_image
from imagic_lora.ui.workspace import Workspace
from tests.support.visitor import Visitor, png, png_header

SCRIPT = "<img src=x onerror=alert(1)>"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"source": " ", "target": ""}, "Say what the picture should show"),
        ({"fit_steps": 0}, "steps was 0"),
        ({"fit_steps": 2.5}, "steps was 2.5, allowed is a whole number"),
        ({"fit_steps": None}, "&#x27;steps&#x27; is empty; allowed is 1 to 100000 steps"),
        ({"fit_lora_lr": 7.0}, "lora lr was 7.0"),
        ({"fit_width": "1"}, "width was 1"),
    ],
)
def test_a_fit_is_refused_before_it_begins(
    visitor: Visitor, changes: dict[str, Any], expected: str
) -> None:
    """What cannot be is answered in a sentence, in the words of the page."""
    visitor.fill(**changes)
    visitor.do("edit-run")

    assert expected in visitor.text("edit-status")
    assert 'class="note bad"' in visitor.text("edit-status")


def test_the_crop_shows_what_is_lost(visitor: Visitor) -> None:
    """What will not be edited is dimmed, the sizes are named, and nothing but words is sent anew."""
    visitor.upload("picture", "wide.png", png((96, 32)))
    visitor.fill(crop_across=0, fit_width="32", fit_height="32")
    visitor.do("crop-across", "input")

    shown = visitor.text("stage")
    assert "left:0.000%;top:0.000%;width:33.333%;height:100.000%" in shown
    assert "96 x 32 pixels, edited at 32 x 32" in shown


def test_a_frame_is_dragged(visitor: Visitor) -> None:
    """Where the frame was let go is where the crop lies, in the fields too; nonsense moves nothing."""
    visitor.upload("picture", "wide.png", png((96, 32)))
    visitor.fill(crop_dragged="2.0000 1.0000 0.5000", fit_width="32", fit_height="32")
    visitor.do("crop-drag")
    held = [visitor[f"crop-{name}"]["value"] for name in ("zoom", "across", "down")]
    assert [2.0, 1.0, 0.5] == held
    assert "left:83.333%;top:25.000%;width:16.667%;height:50.000%" in visitor.text("stage")

    for nonsense in ("", "1", "1 2 3 4", "1.2.3 0 0"):
        visitor.fill(crop_dragged=nonsense)
        visitor.do("crop-drag")
    assert 2.0 == visitor["crop-zoom"]["value"]


def test_an_example_is_one_click_away(visitor: Visitor) -> None:
    """A click takes a picture with its words, whatever was typed; what is none changes nothing."""
    assert 2 == visitor.text("examples").count("data-example")
    visitor.fill(target="something else", crop_zoom=3.0)
    visitor.fill(example_number="1")
    visitor.do("example-take")
    assert ("a dog", "a") == (visitor["target"]["value"], visitor["source"]["value"])
    assert "dog.png" in visitor.text("stage")
    assert 1.0 == visitor["crop-zoom"]["value"]

    visitor.fill(example_number="7")
    visitor.do("example-take")
    assert "dog.png" in visitor.text("stage")
    visitor.upload("picture", "teal.png", png((48, 32), "teal"))
    assert ("", "") == (visitor["target"]["value"], visitor["source"]["value"])


def test_a_large_photo_is_shown_small(visitor: Visitor) -> None:
    """A photo of millions of pixels comes back as a small file, however rough it is."""
    buffer = io.BytesIO()
    Image.effect_noise((4000, 3000), 90).convert("RGB").save(buffer, "JPEG", quality=80)
    visitor.upload("picture", "photo.jpg", buffer.getvalue())

    (shown,) = re.findall(r'src="[^"]*?file=([^"]+)"', visitor.text("stage"))
    assert 300_000 >= Path(shown).stat().st_size
    assert 1023 == max(open_image(shown).size)


def test_what_is_adjusted_is_said_beneath_the_crop(visitor: Visitor) -> None:
    """What the library warns of reaches the page, whose visitors see no terminal."""
    visitor.fill(fit_width="60", fit_height="32")
    visitor.do("fit-width", "input")

    assert "width 60 is no multiple of" in visitor.text("remarks")
    visitor.fill(fit_width="", fit_height="")
    visitor.do("fit-width", "input")
    assert "" == visitor.text("remarks")


def test_an_image_is_taken_in(visitor: Visitor, workspace: Workspace) -> None:
    """What was uploaded is what is edited; the words of the example go with the example."""
    visitor.upload("picture", "teal.png", png((48, 32), "teal"))
    assert ("", "") == (visitor["target"]["value"], visitor["source"]["value"])
    visitor.fill(target="a cat", fit_steps=1, edit_steps=1, edit_count=1)
    visitor.do("edit-run")

    record = workspace.library.find("a-cat").record
    assert record.width > record.height


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("page.png", b"<script>alert(1)</script>", "not an image"),
        (f"{SCRIPT}.png", b"nothing", "not an image"),
        ("bomb.png", png_header(60_000, 60_000), "scale it down"),
        ("dot.png", png_header(2, 2), "use a larger image"),
        ("empty.png", b"", "empty"),
    ],
    ids=["page", "script", "bomb", "dot", "empty"],
)
def test_what_is_no_picture_is_refused(
    visitor: Visitor, workspace: Workspace, name: str, content: bytes, expected: str
) -> None:
    """Hostile images get the library's errors, as text, without the server's folders."""
    visitor.upload("picture", name, content)

    text = visitor.text("edit-status")
    assert expected in text
    assert "<img" not in text
    assert str(workspace.uploads.folder) not in text
    assert "Drop a picture here" in visitor.text("stage")
    visitor.do("edit-run")
    assert "no picture yet" in visitor.text("edit-status")


def test_a_large_image_file_is_refused(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image has a limit of bytes before it is opened."""
    monkeypatch.setattr("imagic_lora.ui.uploads.MOST_IMAGE_BYTES", 10)
    visitor.upload("picture", "large.png", b"x" * 11)

    assert "allowed are" in visitor.text("edit-status")
