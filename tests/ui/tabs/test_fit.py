import time
from typing import Any

import pytest
from PIL import Image

from imagic_lora import Adapter
from imagic_lora.ui.workspace import Workspace
from tests.support.visitor import Visitor, png, png_header

SCRIPT = "<img src=x onerror=alert(1)>"


def test_a_fit_lands_in_the_library(visitor: Visitor, workspace: Workspace) -> None:
    """One press fits the example; its adapter is listed, chosen, and can be downloaded."""
    visitor.fill(fit_steps=3)
    visitor.do("fit-run")

    assert "Fitted in 3 steps" in visitor.text("fit-status")
    assert "<polyline" in visitor.text("fit-status")
    assert visitor["fit-after"]["visible"]
    assert {"cat", "a-cat"} == {entry.name for entry in workspace.library.entries()}
    assert "<dd>a-cat</dd>" in visitor.text("edit-chosen")
    downloaded = Adapter.load(visitor["fit-download"]["value"]["path"])
    assert workspace.library.load("a-cat") == downloaded


def test_a_fit_that_is_stopped_keeps_what_it_learned(
    visitor: Visitor, workspace: Workspace
) -> None:
    """Stop ends a fit of any length after the step at hand, saves it, and says what it is worth."""
    visitor.fill(fit_steps=100_000, fit_stop_at=0, fit_source="", fit_target="a fox")
    running = visitor.begin("fit-run")
    session = workspace.sessions.get(visitor.page)
    while "fit" not in session.jobs:
        time.sleep(0.01)
    assert next(view for view in workspace.jobs.watch(session.jobs["fit"]) if view.state)
    visitor.do("fit-stop")
    running.end()

    assert "Stopped after" in visitor.text("fit-status")
    assert workspace.library.find("a-fox").record.losses


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"fit_source": " ", "fit_target": ""}, "needs words"),
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
    visitor.do("fit-run")

    assert expected in visitor.text("fit-status")
    assert 'class="note bad"' in visitor.text("fit-status")


def test_the_crop_shows_what_is_lost(visitor: Visitor) -> None:
    """What will not be fitted is dimmed, and the canvas is named."""
    visitor.upload("fit-picture", "wide.png", png((96, 32)))
    visitor.fill(crop_across=0, fit_width="32", fit_height="32")
    visitor.do("crop-across", "change")

    image = Image.open(visitor["fit-cropped"]["value"]["path"]).convert("RGB")
    assert (255, 255, 255) == image.getpixel((16, 16))
    assert 120 > max(image.getpixel((80, 16)))  # type: ignore[arg-type]
    assert "32 x 32" in visitor["fit-cropped"]["label"]


def test_what_is_adjusted_is_said_beneath_the_crop(visitor: Visitor) -> None:
    """What the library warns of reaches the page, whose visitors see no terminal."""
    visitor.fill(fit_width="60", fit_height="32")
    visitor.do("fit-width", "change")

    assert "width 60 is no multiple of" in visitor.text("fit-remarks")
    visitor.fill(fit_width="", fit_height="")
    visitor.do("fit-width", "change")
    assert "" == visitor.text("fit-remarks")


def test_an_image_is_taken_in(visitor: Visitor, workspace: Workspace) -> None:
    """What was uploaded is what will be fitted."""
    visitor.upload("fit-picture", "teal.png", png((48, 32), "teal"))
    visitor.fill(fit_steps=1)
    visitor.do("fit-run")

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
    visitor.upload("fit-picture", name, content)

    text = visitor.text("fit-status")
    assert expected in text
    assert "<img" not in text
    assert str(workspace.uploads.folder) not in text
    assert visitor["fit-cropped"]["value"] is None
    visitor.do("fit-run")
    assert "no picture to fit" in visitor.text("fit-status")


def test_a_large_image_file_is_refused(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image has a limit of bytes before it is opened."""
    monkeypatch.setattr("imagic_lora.ui.workspace.MOST_IMAGE_BYTES", 10)
    visitor.upload("fit-picture", "large.png", b"x" * 11)

    assert "allowed are" in visitor.text("fit-status")
