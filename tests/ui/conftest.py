"""A page over a tiny model, served once; every test comes to it as somebody new."""

import asyncio
import secrets
import shutil
from collections.abc import Callable, Iterator

import pytest
from PIL import Image
from starlette.testclient import TestClient

from imagic_lora import Adapter, ImagicEditor
from imagic_lora.demo import Example
from imagic_lora.errors import ModelError
from imagic_lora.ui.models import Choice, Loaded, Welcome
from imagic_lora.ui.serving.server import LOCAL, build_app, open_workspace
from imagic_lora.ui.workspace import Workspace
from tests.support.tiny import Kind
from tests.support.visitor import Visitor

HERE = "http://127.0.0.1"

_KINDS: dict[str, Kind] = {"one": "sd1", "two": "sd2"}
"""The models that the page may be changed to."""


@pytest.fixture(scope="module")
def shared_workspace(
    tmp_path_factory: pytest.TempPathFactory,
    picture: Image.Image,
    editor: Callable[[Kind], ImagicEditor],
) -> Iterator[Workspace]:
    """Give what a page works with: a tiny model and an example."""
    folder = tmp_path_factory.mktemp("page")
    picture.save(folder / "cat.png")
    picture.transpose(Image.Transpose.ROTATE_90).save(folder / "dog.png")
    examples = [Example(folder / f"{name}.png", "a", f"a {name}") for name in ("cat", "dog")]
    welcome = Welcome(examples=examples, alphas=(0.0, 1.0))

    def load(name: str) -> Loaded:
        if name not in _KINDS:
            raise ModelError(f"There is no model {name!r}.")
        return Loaded(name=name, editor=editor(_KINDS[name]), welcome=welcome)

    choice = Choice(names=list(_KINDS), load=load, outlook=lambda name: f"{name} needs little.")
    with open_workspace(load("one"), folder / "adapters", choice) as workspace:
        yield workspace


@pytest.fixture(scope="module")
def shared_client(shared_workspace: Workspace) -> Iterator[TestClient]:
    """Give what asks the page's server, from this machine."""
    app = asyncio.run(build_app(shared_workspace, LOCAL, None))
    with TestClient(app, base_url=HERE) as client:
        yield client


@pytest.fixture
def workspace(shared_workspace: Workspace, adapter: Callable[[Kind], Adapter]) -> Workspace:
    """Give what the page works with, its folder holding one adapter."""
    folder = shared_workspace.library.folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.unlink(missing_ok=True)  # a file that a test has put in its way
    adapter("sd1").save(folder / "cat.safetensors")
    return shared_workspace


@pytest.fixture
def client(shared_client: TestClient, workspace: Workspace) -> TestClient:
    """Give what asks the page's server, its folder holding one adapter."""
    assert workspace
    return shared_client


@pytest.fixture
def visit(client: TestClient) -> Callable[..., Visitor]:
    """Give a function that opens the page: in a new browser tab, or in one of a given name."""

    def visit(tab: str | None = None, browser: str | None = None) -> Visitor:
        names = {"tab": tab or secrets.token_hex(16), "browser": browser or secrets.token_hex(16)}
        return Visitor(client, secrets.token_hex(8), **names)

    return visit


@pytest.fixture
def visitor(visit: Callable[[], Visitor]) -> Visitor:
    """Give somebody who has just opened the page."""
    return visit()
