import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from imagic_lora import Adapter
from imagic_lora.ui.workspace import Workspace
from tests.support.tiny import Kind
from tests.support.visitor import Visitor

Fitted = Callable[[Kind], Adapter]
SCRIPT = "<img src=x onerror=alert(1)>"


def test_an_adapter_is_renamed_and_deleted(visitor: Visitor, workspace: Workspace) -> None:
    """What is chosen gets another name, and goes when it is asked to."""
    visitor.fill(library_name="Mia")
    visitor.do("library-rename")
    assert "is now called Mia" in visitor.text("library-status")
    visitor.fill(library_name=SCRIPT)
    visitor.do("library-rename")
    assert "allowed are letters" in visitor.text("library-status")

    visitor.do("library-delete")
    visitor.do("library-sure")
    assert "Mia is deleted" in visitor.text("library-status")
    assert [] == workspace.library.entries()


def test_what_is_deleted_is_what_was_asked_about(
    visitor: Visitor, workspace: Workspace, adapter: Fitted
) -> None:
    """The question stays while its adapter is the chosen one, and goes when another one is."""
    adapter("sd1").save(workspace.library.folder / "yours.safetensors")
    visitor.do("library-tab", "select")
    visitor.select("library-adapters", "cat")

    visitor.do("library-delete")
    visitor.do("library-tab", "select")
    assert visitor["library-asking"]["visible"]
    visitor.select("library-adapters", "yours")
    assert not visitor["library-asking"]["visible"]
    visitor.select("library-adapters", "cat")
    visitor.do("library-delete")
    visitor.do("library-sure")
    assert "cat is deleted" in visitor.text("library-status")
    assert ["yours"] == [entry.name for entry in workspace.library.entries()]


def test_an_adapter_is_taken_in_once_it_is_checked(
    visitor: Visitor, workspace: Workspace, adapter: Fitted
) -> None:
    """A shared file is listed and chosen, once; one for another base, or none at all, is refused."""
    workspace.library.delete("cat")
    good, other = (adapter(kind).to_bytes() for kind in ("sd1", "sd2"))
    files = {
        "from mia.safetensors": (good, "is here now"),
        "from mia (1).safetensors": (good, "here already, as from-mia"),
        "b.safetensors": (other, "tiny-sd2"),
        "c.safetensors": (b"x", "cannot be used"),
    }
    for name, (content, expected) in files.items():
        visitor.upload("library-bring", name, content)
        assert expected in visitor.text("library-status")

    assert {"from-mia"} == {entry.name for entry in workspace.library.entries()}
    assert "<dd>from-mia</dd>" in visitor.text("compare-used")


def test_a_bad_file_is_named_beside_the_good_ones(visitor: Visitor, workspace: Workspace) -> None:
    """One file that cannot be used hides no other, and the page says which it is."""
    (workspace.library.folder / "bad.safetensors").write_bytes(b"x" * 40)
    visitor.do("library-tab", "select")

    assert ["cat"] == [each["caption"] for each in visitor["library-adapters"]["value"]]
    assert "bad.safetensors" in visitor.text("library-unreadable")


@pytest.mark.parametrize(("tab", "place"), [("library-tab", "library"), ("history-tab", "history")])
def test_an_older_look_never_comes_after_a_newer(
    visitor: Visitor,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    tab: str,
    place: str,
) -> None:
    """Over a slow line as well, what is shown last is what was read last: one look at a time."""
    kind = type(getattr(workspace, place))
    name = {"library": "entries", "history": "look"}[place]
    reading, inside = getattr(kind, name), threading.Lock()

    def slowly(self: Any) -> Any:
        assert inside.acquire(blocking=False), "another one is looking"
        time.sleep(0.1)
        inside.release()
        return reading(self)

    monkeypatch.setattr(kind, name, slowly)
    visitor.begin(tab, "select")
    visitor.begin(tab, "select").end()
