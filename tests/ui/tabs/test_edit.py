import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imagic_lora.images.png import read_record
from imagic_lora.ui.workspace import Workspace
from tests.support.visitor import Visitor, png


@pytest.fixture
def quick(visitor: Visitor) -> Visitor:
    """Give a visitor whose edits take one step, two strengths of one seed."""
    visitor.fill(edit_steps=1, edit_from=0.0, edit_to=1.0, edit_count=2)
    return visitor


def captions(visitor: Visitor) -> list[str]:
    """Return what stands beneath the pictures of the grid."""
    return [each["caption"] for each in visitor["edit-grid"]["value"]]


def record(visitor: Visitor) -> dict[str, Any]:
    """Return what the picture that is offered for download says of itself."""
    return read_record(visitor["edit-one"]["value"]["path"]) or {}


def test_edits_land_in_a_grid(quick: Visitor) -> None:
    """Strengths stand across, seeds down; files and a pair to slide between are there."""
    quick.fill(edit_seeds="0, 1")
    quick.do("edit-run")

    assert "Done." in quick.text("edit-status")
    assert 2 == quick["edit-grid"]["columns"]
    expected = ["alpha 0, seed 0", "alpha 1, seed 0", "alpha 0, seed 1", "alpha 1, seed 1"]
    assert expected == captions(quick)
    assert quick["edit-slider"]["visible"]
    assert "<dt>alpha</dt><dd>1</dd>" in quick.text("edit-about")
    for name in ("edit-one", "edit-sheet", "edit-all"):
        assert Path(quick[name]["value"]["path"]).is_file()
    assert ("a cat", 1.0) == (record(quick)["target"], record(quick)["alpha"])


def test_a_picture_that_is_clicked_is_shown(quick: Visitor) -> None:
    """It stands against the input, with what made it and its file."""
    quick.do("edit-run")
    quick.do("edit-grid", "select", index=0, value=None)

    assert 0.0 == record(quick)["alpha"]
    assert "<dt>alpha</dt><dd>0</dd>" in quick.text("edit-about")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"edit_seeds": "many"}, "seeds were"),
        ({"edit_seeds": ",".join(map(str, range(40)))}, "80 pictures were asked for"),
        ({"edit_guidance": -1.0}, "guidance was -1.0"),
        ({"edit_to": None}, "&#x27;to&#x27; is empty; allowed is any number"),
        ({"edit_count": 65}, "count was 65, allowed is 1 to 64"),
        ({"edit_count": 1.5}, "count was 1.5, allowed is a whole number"),
    ],
)
def test_edits_are_refused_before_they_begin(
    quick: Visitor, changes: dict[str, Any], expected: str
) -> None:
    """What cannot be is answered in a sentence, in the words of the page."""
    quick.fill(**changes)
    quick.do("edit-run")

    assert expected in quick.text("edit-status")


@pytest.mark.parametrize("alpha", [-0.5, 2.5])
def test_a_strength_beyond_the_usual_is_made(quick: Visitor, alpha: float) -> None:
    """What is typed is what is made: nothing is cut off without a word."""
    quick.fill(edit_how="one strength", edit_alpha=alpha)
    quick.do("edit-run")

    assert alpha == record(quick)["alpha"]


def test_a_strength_is_found_where_none_is_given(quick: Visitor) -> None:
    """Who does not know a strength gets the picture of one that was found, and reads which."""
    quick.fill(edit_how="found for me")
    quick.do("edit-run")

    assert "Done." in quick.text("edit-status")
    assert [f"alpha {record(quick)['alpha']:g}"] == captions(quick)


def test_a_mask_holds_the_edit(quick: Visitor) -> None:
    """A mask that is on is said beside the button; a black one is refused in words."""
    for colour, expected in (("white", "Done."), ("black", "black everywhere")):
        quick.upload("edit-mask", f"{colour}.png", png((32, 32), colour))
        assert "white in the mask" in quick.text("edit-masked")
        quick.do("edit-run")
        assert expected in quick.text("edit-status")


def test_a_mask_that_is_refused_stops_the_edit(quick: Visitor) -> None:
    """Nobody gets an edit of the whole picture while the page shows a mask, though a useless one."""
    quick.upload("edit-mask", "text.png", b"no image")

    assert "not an image" in quick.text("edit-masked")
    quick.do("edit-run")
    assert "not an image" in quick.text("edit-status")
    assert "Remove the mask" in quick.text("edit-status")
    quick.clear("edit-mask")
    assert "" == quick.text("edit-masked")
    quick.do("edit-run")
    assert "Done." in quick.text("edit-status")


def test_a_mask_of_another_shape_is_refused(quick: Visitor) -> None:
    """A mask is never stretched over a picture that it was not drawn for."""
    quick.upload("edit-mask", "wide.png", png((500, 100)))
    quick.do("edit-run")

    assert "The mask is 500 x 100 pixels; allowed is the shape" in quick.text("edit-status")


def test_a_mask_of_the_whole_picture_serves_its_cropped_fit(quick: Visitor) -> None:
    """Who fits a part of a picture draws the mask over the picture that they have."""
    quick.upload("fit-picture", "wide.png", png((96, 32), "teal"))
    quick.fill(fit_steps=1, fit_width="32", fit_height="32", crop_across=1)
    quick.do("fit-run")
    for side, expected in (("left", "black everywhere"), ("right", "Done.")):
        mask = Image.new("RGB", (96, 32))
        mask.paste("white", (0, 0, 48, 32) if side == "left" else (64, 0, 96, 32))
        buffer = io.BytesIO()
        mask.save(buffer, "PNG")
        quick.upload("edit-mask", f"{side}.png", buffer.getvalue())
        quick.do("edit-run")
        assert expected in quick.text("edit-status")


def test_a_mask_is_said_to_be_on_after_the_page_was_loaded_anew(visit: Any) -> None:
    """What holds an edit back is never hidden."""
    visit("a" * 32).upload("edit-mask", "white.png", png((32, 32)))

    assert "white in the mask" in visit("a" * 32).text("edit-masked")


def test_without_an_adapter_the_page_says_what_to_do(
    visitor: Visitor, workspace: Workspace
) -> None:
    """An empty library is no dead end."""
    workspace.library.delete("cat")
    visitor.do("edit-tab", "select")

    assert not visitor["edit-adapters"]["visible"]
    assert "fit a picture first" in visitor.text("edit-chosen")
    visitor.do("edit-run")
    assert "fit a picture first" in visitor.text("edit-status")
