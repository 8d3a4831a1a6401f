import asyncio
import copy
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from starlette.testclient import TestClient

from imagic_lora import ImagicEditor
from imagic_lora.demo import Example
from imagic_lora.ui.jobs.queue import Job
from imagic_lora.ui.models import Choice, Loaded, Welcome
from imagic_lora.ui.serving.server import LOCAL, build_app, open_workspace
from imagic_lora.ui.workspace import Workspace
from tests.support.tiny import Kind
from tests.support.visitor import Visitor


def test_another_model_is_loaded_in_the_place_of_the_first(visitor: Visitor) -> None:
    """The page says what it will need, then shows and uses the other one, without a restart."""
    assert "tiny-sd1" in visitor.text("heading")
    visitor.fill(model_name="two")
    visitor.do("model-name", "input")
    assert "two needs little." in visitor.text("model-needs")
    visitor.do("model-load")

    assert "two is here now." in visitor.text("model-state")
    assert "tiny-sd2" in visitor.text("heading")
    visitor.do("library-tab", "select")
    assert "tiny-sd1" in visitor.text("library-about")
    assert "load a base model like the adapter" in visitor.text("library-about")
    visitor.fill(model_name="one")
    visitor.do("model-load")
    assert "tiny-sd1" in visitor.text("heading")


def test_a_model_that_cannot_be_loaded_leaves_the_one_before(visitor: Visitor) -> None:
    """Why is said in words, and everything works as it did."""
    visitor.fill(model_name="three")
    visitor.do("model-load")

    assert "There is no model &#x27;three&#x27;" in visitor.text("model-state")
    assert "tiny-sd1" in visitor.text("heading")
    visitor.fill(model_name=" ")
    visitor.do("model-load")
    assert "Say which model" in visitor.text("model-state")


def test_a_model_is_not_changed_under_those_who_use_it(
    visitor: Visitor, workspace: Workspace
) -> None:
    """As long as anything runs or waits, the model stays."""
    over = threading.Event()

    def work(_: Job) -> None:
        over.wait()

    running = workspace.jobs.submit(work)
    visitor.fill(model_name="two")
    visitor.do("model-load")
    over.set()

    assert "once nothing runs or waits" in visitor.text("model-state")
    assert "tiny-sd1" in visitor.text("heading")
    list(workspace.jobs.watch(running))


def test_the_model_before_is_gone_when_another_is_loaded(
    tmp_path: Path, picture: Image.Image, editor: Callable[[Kind], ImagicEditor]
) -> None:
    """A fit, its edits and their results hold no model: there is room for one at a time."""
    held: list[Any] = []
    picture.save(tmp_path / "cat.png")
    welcome = Welcome(examples=[Example(tmp_path / "cat.png", "a", "a cat")], alphas=(0.0, 1.0))

    def load(name: str) -> Loaded:
        assert [] == [each for each in held if each() is not None]
        model = copy.copy(editor("sd1").model)
        held.append(weakref.ref(model))
        return Loaded(name=name, editor=ImagicEditor(model), welcome=welcome)

    choice = Choice(names=["one", "two"], load=load, outlook=str)
    with open_workspace(load("one"), tmp_path / "adapters", choice) as workspace:
        app = asyncio.run(build_app(workspace, LOCAL, None))
        with TestClient(app, base_url="http://127.0.0.1") as client:
            visitor = Visitor(client)
            visitor.fill(fit_steps=1, edit_steps=1, edit_count=1)
            visitor.do("edit-run")
            assert "Done." in visitor.text("edit-status")
            visitor.fill(model_name="two")
            visitor.do("model-load")
            assert "two is here now." in visitor.text("model-state")
    assert 2 == len(held)
