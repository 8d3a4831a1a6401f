import json
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from imagic_lora import Adapter, FitSettings
from imagic_lora.images.png import read_record
from imagic_lora.ui.workspace import Workspace
from tests.support.tiny import Kind
from tests.support.visitor import Visitor, png

Fitted = Callable[[Kind], Adapter]
SCRIPT = "<img src=x onerror=alert(1)>"


@pytest.fixture
def quick(visitor: Visitor) -> Visitor:
    """Give a visitor who edits an adapter in one step, at one strength."""
    visitor.take("cat")
    visitor.fill(edit_steps=1, edit_count=1)
    return visitor


def made(visitor: Visitor) -> str:
    """Make the edits that are asked for, and return the file of the one shown in large."""
    visitor.do("edit-run")
    return visitor.large("stage")


def test_a_picture_brings_its_settings_back(quick: Visitor, workspace: Workspace) -> None:
    """A PNG that was made here fills the form that made it, and its adapter is what is edited."""
    quick.fill(target="a fox", edit_seeds="3", edit_guidance=2.0)
    picture = made(quick)
    quick.fill(target="a dog", edit_seeds="0", edit_guidance=1.0)
    quick.upload("picture", "teal.png", png((32, 32), "teal"))
    quick.name_file("picture", picture)

    held = [quick[name]["value"] for name in ("target", "edit-seeds", "edit-guidance")]
    assert ["a fox", "3", "2.0"] == held
    assert "cat: learned already" in quick.text("stage")
    assert "taken up" in quick.text("edit-status")
    workspace.library.delete("cat")
    quick.name_file("picture", picture)
    assert "not in the library" in quick.text("edit-status")


@pytest.mark.parametrize("alpha", [-0.5, 0.4, 1.6, 2.5])
def test_a_picture_is_made_again_at_its_own_strength(quick: Visitor, alpha: float) -> None:
    """Whatever strength a dropped picture was made at, the next press makes it at that."""
    quick.fill(edit_how="one strength", edit_alpha=alpha)
    picture = made(quick)
    quick.fill(edit_how="a sweep", edit_alpha=1.0)
    quick.name_file("picture", picture)

    assert quick["edit-alpha"]["visible"]
    again = read_record(made(quick)) or {}
    assert alpha == again["alpha"]
    assert "Done." in quick.text("edit-status")


def test_a_grid_brings_its_sweep_back(quick: Visitor) -> None:
    """All strengths and seeds of a sheet are in the form again."""
    quick.fill(edit_from=-1.0, edit_to=2.0, edit_count=3, edit_seeds="4, 5")
    made(quick)
    sheet = quick["edit-sheet"]["value"]["path"]
    quick.fill(edit_how="one strength", edit_from=0, edit_to=1, edit_count=5, edit_seeds="0")
    quick.name_file("picture", sheet)

    names = ("how", "from", "to", "count", "seeds")
    expected = ["a sweep", -1.0, 2.0, 3, "4, 5"]
    assert expected == [quick[f"edit-{name}"]["value"] for name in names]


def test_choosing_an_adapter_leaves_what_was_typed(visitor: Visitor) -> None:
    """The prompt follows the adapter as long as it is an adapter's own, and not beyond."""
    visitor.fill(target="")
    visitor.take("cat")
    assert "a cat" == visitor["target"]["value"]
    visitor.fill(target="a cat with a hat")
    visitor.take("cat")
    assert "a cat with a hat" == visitor["target"]["value"]
    visitor.upload("picture", "teal.png", png((32, 32), "teal"))
    assert "a cat with a hat" == visitor["target"]["value"]


def test_a_page_that_is_loaded_anew_finds_its_session(
    visit: Callable[[str], Visitor], workspace: Workspace, adapter: Fitted
) -> None:
    """A browser tab keeps its adapter and its pictures; another tab has its own."""
    first = visit("b" * 32)
    adapter("sd1").save(workspace.library.folder / "mine.safetensors")
    first.take("mine")
    first.fill(edit_steps=1, edit_count=2)
    first.do("edit-run")

    again, other = visit("b" * 32), visit("c" * 32)

    assert 2 == len(again.pictures("stage"))
    assert not other.pictures("stage")


def test_what_was_typed_outlives_loading_the_page_anew(client: TestClient) -> None:
    """Fields hold what they held; what a browser would not have kept is left out."""
    kept = {"target": "a fox", "edit-count": 7, "edit-how": "one strength", "edit-seeds": 5}
    again = Visitor(client, "anew", "d" * 32, json.dumps({**kept, "fit-steps": [], "x": 1}))

    names = ("target", "edit-count", "edit-how", "edit-seeds", "fit-steps")
    expected = ["a fox", 7, "one strength", "0", FitSettings().steps]
    assert expected == [again[name]["value"] for name in names]
    for nonsense in ("", "[]", "{", "[" * 100_000):
        assert "a cat" == Visitor(client, "anew", "e" * 32, nonsense)["target"]["value"]


def test_without_anything_to_edit_the_page_says_what_to_do(
    visitor: Visitor, workspace: Workspace
) -> None:
    """An adapter that is gone is no dead end."""
    visitor.take("cat")
    workspace.library.delete("cat")
    visitor.do("edit-run")

    assert "no adapter &#x27;cat&#x27; here any more" in visitor.text("edit-status")


def test_names_and_prompts_are_never_markup(
    visitor: Visitor, workspace: Workspace, adapter: Fitted
) -> None:
    """A file that somebody put there under any name, with any prompt, is shown as text."""
    visitor.upload("picture", f"{SCRIPT}.png", png((32, 32), "teal"))
    visitor.fill(source=SCRIPT, target=SCRIPT, fit_steps=1, edit_steps=1, edit_count=1)
    texts = [visitor.text("stage")]
    visitor.do("edit-run")
    texts += [visitor.text(name) for name in ("stage", "library-about", "edit-status")]
    path = workspace.library.folder / f"{SCRIPT.replace('/', '')}.safetensors"
    adapter("sd1").save(path)
    visitor.take(path.stem)
    texts += [visitor.text(name) for name in ("stage", "library-about", "compare-used")]

    assert not [text for text in texts if "<img src=x" in text]
    assert 3 <= len([text for text in texts if "&lt;img" in text])
