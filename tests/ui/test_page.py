from collections.abc import Callable

import pytest

from imagic_lora import Adapter
from imagic_lora.images.png import read_record
from imagic_lora.ui.workspace import Workspace
from tests.support.tiny import Kind
from tests.support.visitor import Visitor, png

Fitted = Callable[[Kind], Adapter]
SCRIPT = "<img src=x onerror=alert(1)>"


def made(visitor: Visitor) -> str:
    """Make the edits that are asked for, and return the file of one."""
    visitor.do("edit-run")
    return str(visitor["edit-one"]["value"]["path"])


def test_a_picture_brings_its_settings_back(
    visitor: Visitor, workspace: Workspace, adapter: Fitted
) -> None:
    """A PNG that was made here fills the form that made it, and chooses its adapter."""
    visitor.fill(edit_target="a fox", edit_seeds="3", edit_guidance=2.0, edit_steps=1, edit_count=1)
    picture = made(visitor)
    visitor.fill(edit_target="a dog", edit_seeds="0", edit_guidance=1.0)
    visitor.upload("library-bring", "other.safetensors", adapter("sd1").to_bytes())
    workspace.library.delete("other")
    visitor.name_file("edit-drop", picture)

    held = [visitor[f"edit-{name}"]["value"] for name in ("target", "seeds", "guidance")]
    assert ["a fox", "3", 2.0] == held
    assert "<dd>cat</dd>" in visitor.text("edit-chosen")
    assert "taken up" in visitor.text("edit-status")


@pytest.mark.parametrize("alpha", [-0.5, 0.4, 1.6, 2.5])
def test_a_picture_is_made_again_at_its_own_strength(visitor: Visitor, alpha: float) -> None:
    """Whatever strength a dropped picture was made at, the next press makes it at that."""
    visitor.fill(edit_how="one strength", edit_alpha=alpha, edit_steps=1)
    picture = made(visitor)
    visitor.fill(edit_how="a sweep", edit_alpha=1.0)
    visitor.name_file("edit-drop", picture)

    assert visitor["edit-alpha"]["visible"]
    again = read_record(made(visitor)) or {}
    assert alpha == again["alpha"]
    assert "Done." in visitor.text("edit-status")


def test_a_grid_brings_its_sweep_back(visitor: Visitor) -> None:
    """All strengths and seeds of a sheet are in the form again."""
    visitor.fill(edit_from=-1.0, edit_to=2.0, edit_count=3, edit_seeds="4, 5", edit_steps=1)
    made(visitor)
    sheet = visitor["edit-sheet"]["value"]["path"]
    visitor.fill(edit_how="one strength", edit_from=0, edit_to=1, edit_count=5, edit_seeds="0")
    visitor.name_file("edit-drop", sheet)

    names = ("how", "from", "to", "count", "seeds")
    expected = ["a sweep", -1.0, 2.0, 3, "4, 5"]
    assert expected == [visitor[f"edit-{name}"]["value"] for name in names]


def test_a_foreign_picture_brings_nothing(visitor: Visitor) -> None:
    """A picture without settings is answered with why, and changes nothing."""
    visitor.fill(edit_target="a fox")
    visitor.upload("edit-drop", "plain.png", png((16, 16)))

    assert "carries no settings" in visitor.text("edit-status")
    assert "a fox" == visitor["edit-target"]["value"]


def test_a_fresh_fit_edits_its_own_prompt(visitor: Visitor) -> None:
    """What was typed for another picture is not what the new one is edited towards."""
    visitor.fill(edit_target="a dog with a hat", fit_target="a fox", fit_steps=1)
    visitor.do("fit-run")

    assert "a fox" == visitor["edit-target"]["value"]


def test_choosing_an_adapter_leaves_what_was_typed(visitor: Visitor, workspace: Workspace) -> None:
    """The prompt follows the adapter as long as it is an adapter's own, and not beyond."""
    assert "a cat" == visitor["edit-target"]["value"]
    visitor.fill(fit_target="a fox", fit_steps=1)
    visitor.do("fit-run")
    visitor.select("edit-adapters", "cat")
    assert "a cat" == visitor["edit-target"]["value"]

    visitor.fill(edit_target="a cat with a hat")
    visitor.select("edit-adapters", "a-fox")
    assert "a cat with a hat" == visitor["edit-target"]["value"]
    visitor.fill(edit_target="")
    visitor.select("library-adapters", "cat")
    assert "a cat" == visitor["edit-target"]["value"]
    assert {"cat", "a-fox"} == {entry.name for entry in workspace.library.entries()}


def test_a_page_that_is_loaded_anew_finds_its_session(
    visit: Callable[[str], Visitor], workspace: Workspace, adapter: Fitted
) -> None:
    """A browser tab keeps its adapter and its pictures; another tab has its own."""
    first = visit("b" * 32)
    adapter("sd1").save(workspace.library.folder / "mine.safetensors")
    first.do("edit-tab", "select")
    first.select("edit-adapters", "mine")
    first.fill(edit_steps=1, edit_count=2)
    first.do("edit-run")
    first.select("edit-adapters", "cat")

    again, other = visit("b" * 32), visit("c" * 32)

    assert "<dd>cat</dd>" in again.text("edit-chosen")
    assert 2 == len(again["edit-grid"]["value"])
    assert not other["edit-grid"]["value"]


def test_names_and_prompts_are_never_markup(
    visitor: Visitor, workspace: Workspace, adapter: Fitted
) -> None:
    """A file that somebody put there under any name, with any prompt, is shown as text."""
    visitor.fill(fit_source=SCRIPT, fit_target=SCRIPT, fit_steps=1)
    visitor.do("fit-run")
    texts = [visitor.text(name) for name in ("edit-chosen", "library-about", "fit-status")]
    path = workspace.library.folder / f"{SCRIPT.replace('/', '')}.safetensors"
    adapter("sd1").save(path)
    visitor.do("library-tab", "select")
    visitor.select("library-adapters", path.stem)
    texts += [visitor.text(name) for name in ("edit-chosen", "library-about")]

    assert not [text for text in texts if "<img" in text]
    assert 3 <= len([text for text in texts if "&lt;img" in text])
