import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagic_lora.images.reading import open_image
from imagic_lora.ui.workspace import Workspace
from tests.support.visitor import Visitor, png


def runs(visitor: Visitor) -> list[str]:
    """Return the names of the runs that are shown."""
    visitor.do("history-tab", "select")
    return re.findall(r'data-run="([^"]+)"', visitor.text("history-runs"))


@pytest.fixture
def done(visit: Callable[..., Visitor]) -> Visitor:
    """Give a visitor who has edited the example's picture by an adapter of it, under a mask."""
    visitor = visit()
    visitor.take("cat")
    visitor.fill(target="a fox", edit_steps=1, edit_count=2)
    visitor.upload("edit-mask", "white.png", png((32, 32)))
    visitor.do("edit-run")
    return visitor


def test_a_run_outlives_its_session(
    done: Visitor, visit: Callable[..., Visitor], workspace: Workspace
) -> None:
    """Another session on the same picture finds the run, looks at it, and takes it up whole."""
    other = visit()
    (name,) = runs(other)
    assert "<dd>a fox</dd>" in other.text("history-about")
    assert 2 == len(other.pictures("history-stage"))
    other.do("history-restore")

    assert "edit" == other["tabs"]["selected"]
    assert ("a fox", 2) == (other["target"]["value"], other["edit-count"]["value"])
    assert "A mask is on" in other.text("edit-masked")
    made = [[open_image(p).tobytes() for p in page.pictures("stage")] for page in (done, other)]
    assert made[0] == made[1]
    workspace.library.delete("cat")
    other.fill(history_which="of all pictures")
    assert [name] == runs(other)
    other.do("history-restore")
    assert "not in the library" in other.text("edit-status")
    assert 2 == len(other.pictures("stage"))


def test_each_picture_has_its_own_runs(done: Visitor) -> None:
    """Another picture has none yet, and says how many others there are, which are one click away."""
    assert 1 == len(runs(done))
    done.upload("picture", "teal.png", png((32, 32), "teal"))
    assert [] == runs(done)
    assert "there are 1 of others" in done.text("history-runs")

    done.fill(history_which="of all pictures")
    done.do("history-which", "change")
    assert 1 == len(runs(done))


def test_the_folder_is_looked_at_once(
    done: Visitor, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many runs are shown, both folders are read once each: they may be large, or remote."""
    done.do("edit-run")
    looked: list[Path] = []
    folders = {workspace.library.folder, workspace.library.folder / "history"}
    for name in ("iterdir", "glob"):
        reading = getattr(Path, name)

        def counted(path: Path, *args: Any, reading: Any = reading) -> Any:
            looked.extend({path} & folders)
            return reading(path, *args)

        monkeypatch.setattr(Path, name, counted)
    assert 2 == len(runs(done))

    assert sorted(folders) == sorted(looked)


def test_a_run_is_deleted_once_it_is_confirmed(done: Visitor) -> None:
    """Deleting asks first; what is not there any more is no dead end."""
    (name,) = runs(done)
    done.do("history-delete")
    assert done["history-asking"]["visible"]
    done.do("history-sure")
    assert "The run is deleted" in done.text("history-status")
    assert [] == runs(done)

    done.fill(history_name=name)
    done.do("history-run")
    done.do("history-restore")
    assert "not here any more" in done.text("history-status")
