import io
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imagic_lora import Adapter
from imagic_lora.images.png import read_record
from imagic_lora.images.reading import open_image
from imagic_lora.ui.workspace import Workspace
from tests.support.visitor import Visitor, png


@pytest.fixture
def quick(visitor: Visitor) -> Visitor:
    """Give a visitor who edits an adapter in one step, at two strengths of one seed."""
    visitor.take("cat")
    visitor.fill(edit_steps=1, edit_from=0.0, edit_to=1.0, edit_count=2)
    return visitor


def record(visitor: Visitor) -> dict[str, Any]:
    """Return what the picture that is shown in large says of itself."""
    return read_record(visitor.large("stage")) or {}


def strengths(visitor: Visitor) -> list[float]:
    """Return the strengths of the small pictures."""
    return [(read_record(path) or {})["alpha"] for path in visitor.pictures("stage")]


def test_one_press_learns_the_picture_and_edits_it(visitor: Visitor, workspace: Workspace) -> None:
    """The first press fits and sweeps; the adapter is in the library and can be downloaded."""
    visitor.fill(fit_steps=3, edit_steps=1, edit_count=2)
    visitor.do("edit-run")

    assert "Fitted in 3 steps" in visitor.text("edit-status")
    assert "Done." in visitor.text("edit-status")
    assert [0.0, 1.0] == strengths(visitor)
    assert "a cat" == record(visitor)["target"]
    downloaded = Adapter.load(visitor["edit-adapter"]["value"]["path"])
    assert workspace.library.load("a-cat") == downloaded


def test_other_words_need_no_second_fit(visitor: Visitor, workspace: Workspace) -> None:
    """The prompt is typed once, and a picture is learned once: the page says so."""
    visitor.fill(fit_steps=8, fit_outweigh=0, edit_steps=1, edit_count=1)
    visitor.do("edit-run")
    visitor.fill(target="a fox")
    visitor.do("edit-run")

    assert "learned already" in visitor.text("edit-status")
    assert "a fox" == record(visitor)["target"]
    assert {"cat", "a-cat"} == {entry.name for entry in workspace.library.entries()}
    visitor.fill(fit_rank=2)
    visitor.do("edit-run")
    assert {"cat", "a-cat", "a-fox"} == {entry.name for entry in workspace.library.entries()}


def test_a_stop_keeps_what_was_learned(visitor: Visitor, workspace: Workspace) -> None:
    """A fit of any length ends after the step at hand, saved, and nothing is edited.

    What plain img2img and the edit make of the words is there before anything is learned, and what
    the model, which knows no such pictures, can show of this one; each is named.
    """
    visitor.fill(fit_steps=100_000, fit_outweigh=0, source="", target="a fox", edit_steps=2)
    running = visitor.begin("edit-run")
    session = workspace.sessions.get(visitor.page)
    while "edit" not in session.jobs:
        time.sleep(0.01)
    views = workspace.jobs.watch(session.jobs["edit"])
    assert next(view for view in views if view.state and view.state.fit)
    visitor.do("edit-stop")
    running.end()

    assert "Stopped after" in visitor.text("edit-status")
    assert [] == visitor.pictures("stage")
    assert workspace.library.find("a-fox").record.losses
    assert "plain img2img" in visitor.text("stage")
    assert re.search(r"gives your picture back like this, at \d+ dB", visitor.text("stage"))
    (seen,) = re.findall(r'file=([^"]+)" alt="As the model can show it"', visitor.text("stage"))
    assert Path(seen).is_file()
    (path,) = re.findall(r'file=([^"]+)" alt="A quick try"', visitor.text("stage"))
    quick = read_record(path) or {}
    assert ("Variation", "a fox", 2) == (quick["kind"], quick["target"], quick["settings"]["steps"])
    (path,) = re.findall(r'file=([^"]+)" alt="Another"', visitor.text("stage"))
    another = read_record(path) or {}
    assert ("Edit", "a fox", 1) == (another["kind"], another["target"], another["alpha"])


def test_edits_land_on_a_sheet(quick: Visitor) -> None:
    """Strengths stand across, seeds down; the nearest to the words is in large, files are there."""
    quick.fill(edit_seeds="0, 1")
    quick.do("edit-run")

    assert "Done." in quick.text("edit-status")
    assert "--columns:2" in quick.text("stage")
    assert [0.0, 1.0, 0.0, 1.0] == strengths(quick)
    assert ("a cat", 1.0) == (record(quick)["target"], record(quick)["alpha"])
    for name in ("edit-sheet", "edit-all"):
        assert Path(quick[name]["value"]["path"]).is_file()


@pytest.mark.parametrize(
    ("name", "expected"),
    [("careful", (0.2, 1.0, 2.0)), ("usual", (0.0, 1.0, 1.0)), ("bold", (0.8, 2.4, 0.5))],
)
def test_a_preset_fills_fields_and_no_more(
    visitor: Visitor, name: str, expected: tuple[float, ...]
) -> None:
    """A manner of editing is what its fields say, which can be changed as if it had been typed."""
    visitor.fill(edit_how="one strength", edit_from=5, edit_to=6, edit_focus=3.0, edit_count=7)
    visitor.do(f"preset-{name}")

    held = [visitor[f"edit-{field}"]["value"] for field in ("from", "to", "focus")]
    assert list(expected) == held
    assert ("a sweep", 7) == (visitor["edit-how"]["value"], visitor["edit-count"]["value"])


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
    """Who does not know a strength reads which was found and why, and sees all that were tried."""
    quick.fill(edit_how="found for me", edit_guidance=0.01)  # so little that more is tried
    quick.do("edit-run")

    assert f"Found alpha {record(quick)['alpha']:g}: of " in quick.text("edit-status")
    assert sorted(strengths(quick)) == strengths(quick)
    assert record(quick)["alpha"] in strengths(quick)
    assert len(strengths(quick)) > 1


def test_a_mask_holds_the_edit(quick: Visitor) -> None:
    """A mask that is on is said beside the button; a black one is refused in words."""
    for colour, expected in (("white", "Done."), ("black", "black everywhere")):
        quick.upload("edit-mask", f"{colour}.png", png((32, 32), colour))
        assert "A mask is on" in quick.text("edit-masked")
        quick.do("edit-run")
        assert expected in quick.text("edit-status")


def test_a_mask_that_is_refused_stops_the_edit(quick: Visitor) -> None:
    """Nobody gets an edit of the whole picture while the page shows a mask, though a useless one."""
    quick.upload("edit-mask", "text.png", b"no image")

    assert "not an image" in quick.text("edit-masked")
    quick.do("edit-run")
    assert "not an image" in quick.text("edit-status")
    assert "Remove the mask" in quick.text("edit-status")
    quick.do("mask-remove")
    assert "" == quick.text("edit-masked")
    quick.do("edit-run")
    assert "Done." in quick.text("edit-status")


def test_a_mask_of_another_shape_is_refused(quick: Visitor) -> None:
    """A mask is never stretched over a picture that it was not drawn for."""
    quick.upload("edit-mask", "wide.png", png((500, 100)))
    expected = "The mask is 500 x 100 pixels; allowed is the shape"
    assert expected in quick.text("remarks")
    quick.do("edit-run")

    assert expected in quick.text("edit-status")


def test_a_mask_of_the_whole_picture_serves_its_cropped_fit(visitor: Visitor) -> None:
    """Who edits a part of a picture draws the mask over the picture that they have."""
    visitor.upload("picture", "wide.png", png((96, 32), "teal"))
    visitor.fill(target="a cat", fit_steps=1, fit_width="32", fit_height="32", crop_across=1)
    visitor.fill(edit_steps=1, edit_count=1)
    for side, expected in (("left", "black everywhere"), ("right", "Done.")):
        mask = Image.new("RGB", (96, 32))
        mask.paste("white", (0, 0, 48, 32) if side == "left" else (64, 0, 96, 32))
        buffer = io.BytesIO()
        mask.save(buffer, "PNG")
        visitor.upload("edit-mask", f"{side}.png", buffer.getvalue())
        visitor.do("edit-run")
        assert expected in visitor.text("edit-status")


def test_a_mask_is_said_to_be_on_after_the_page_was_loaded_anew(visit: Any) -> None:
    """What holds an edit back is never hidden."""
    visit("a" * 32).upload("edit-mask", "white.png", png((32, 32)))

    assert "A mask is on" in visit("a" * 32).text("edit-masked")


def left_half() -> bytes:
    """Return the content of a mask whose left half is white."""
    mask = Image.new("L", (32, 32))
    mask.paste(255, (0, 0, 16, 32))
    buffer = io.BytesIO()
    mask.save(buffer, "PNG")
    return buffer.getvalue()


def veil(visitor: Visitor) -> Image.Image:
    """Return what dims the picture where a mask keeps it."""
    (path,) = re.findall(r'class="veil" src="[^"]*?file=([^"]+)"', visitor.text("stage"))
    with Image.open(path) as image:
        return image.convert("LA").getchannel("A")


def test_a_mask_is_shown_inverted_and_removed(quick: Visitor) -> None:
    """What stays is dimmed on the picture; the other way round after Invert; all after Remove."""
    quick.upload("edit-mask", "left.png", left_half())
    assert (0, 150) == tuple(veil(quick).getpixel((x, 16)) for x in (4, 28))
    quick.do("mask-invert")
    assert (150, 0) == tuple(veil(quick).getpixel((x, 16)) for x in (4, 28))
    quick.fill(mask_feather=0.2)
    quick.do("mask-feather", "input")
    assert 20 < veil(quick).getpixel((16, 16)) < 130  # type: ignore[operator]
    quick.do("mask-remove")
    assert "veil" not in quick.text("stage")


def test_a_mask_is_found_by_words(quick: Visitor) -> None:
    """What is named is looked for on the picture, and said how."""
    quick.fill(mask_words="a cat")
    quick.do("mask-find")

    assert "A mask is on" in quick.text("edit-masked")
    assert "no segmenter is installed" in quick.text("edit-masked")
    assert "veil" in quick.text("stage")
    quick.fill(mask_words="")
    quick.do("mask-find")
    assert "Say what may change" in quick.text("edit-masked")


def test_a_dropped_picture_brings_its_mask_back(quick: Visitor) -> None:
    """What was made under a mask is made again under it, to the pixel."""
    quick.upload("edit-mask", "left.png", left_half())
    quick.do("edit-run")
    picture = quick.large("stage")
    quick.do("mask-remove")
    quick.name_file("picture", picture)

    assert "A mask is on" in quick.text("edit-masked")
    quick.do("edit-run")
    pictures = [open_image(path).tobytes() for path in (picture, quick.large("stage"))]
    assert pictures[0] == pictures[1]


def test_finer_strengths_are_made_between_two(quick: Visitor) -> None:
    """What is there stays, and three more stand between, on one sheet that brings all back."""
    quick.fill(edit_seeds="3")
    quick.do("edit-run")
    before = set(quick.pictures("stage"))
    quick.fill(edit_two="1.0 0.0")
    quick.do("edit-finer")

    assert [0.0, 0.25, 0.5, 0.75, 1.0] == strengths(quick)
    assert before < set(quick.pictures("stage"))
    quick.name_file("picture", quick["edit-sheet"]["value"]["path"])
    assert ("3", 5) == (quick["edit-seeds"]["value"], quick["edit-count"]["value"])


def test_a_sweep_is_spaced_by_visible_change_or_evenly(quick: Visitor) -> None:
    """Strengths stand in their order, whatever the order in which they are found; a sheet says which."""
    quick.fill(edit_to=4.0, edit_count=4)
    quick.do("edit-run")
    found = strengths(quick)
    assert [0.0, 2.0, 4.0] == sorted({0.0, 2.0, 4.0} & set(found))
    assert sorted(found) == found

    sheet = quick["edit-sheet"]["value"]["path"]
    quick.fill(edit_even=True)
    quick.do("edit-run")
    assert [0.0, 1.3333, 2.6667, 4.0] == strengths(quick)
    quick.name_file("picture", sheet)
    assert quick["edit-even"]["value"] is False


def test_nothing_is_made_between_what_are_no_two(quick: Visitor) -> None:
    """What a page sends is checked as what is typed."""
    quick.fill(edit_two="0 1")
    quick.do("edit-finer")
    assert "no pictures yet" in quick.text("edit-status")
    quick.fill(edit_count=1)
    quick.do("edit-run")

    for two, expected in {
        "0.5 0.5": "the same strength",
        "0.5": "two are needed",
        "a b": "two are needed",
        "1 nan": "strength was nan",
    }.items():
        quick.fill(edit_two=two)
        quick.do("edit-finer")
        assert expected in quick.text("edit-status")


def test_a_fit_that_the_library_cannot_take_is_kept(
    visitor: Visitor, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk loses no fit: it is edited, offered, found again, and saved once there is room."""
    folder = workspace.library.folder
    shutil.rmtree(folder)
    folder.write_bytes(b"in the way")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    visitor.fill(target="a fox", fit_steps=8, fit_outweigh=0, edit_steps=1, edit_count=1)
    visitor.do("edit-run")

    text = visitor.text("edit-status")
    assert "Not in the library" in text
    assert str(tmp_path / "a-fox-2.safetensors") in text
    assert str(folder.parent) not in text
    offered = Adapter.load(visitor["edit-adapter"]["value"]["path"])
    assert record(visitor)["adapter_sha256"] == offered.sha256
    visitor.do("edit-again")
    assert "Not in the library" in visitor.text("edit-status")
    folder.unlink()
    visitor.do("edit-run")  # with what the page has kept: no second fit
    assert "learned already" in visitor.text("edit-status")
    visitor.do("edit-again")
    assert "a-fox is in the library now" in visitor.text("edit-status")
    assert offered == workspace.library.load("a-fox")
