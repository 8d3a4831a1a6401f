"""What every test runs under: no network, one thread, and no traces left behind."""

import os
import socket
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

# Both are read when what they are about is imported, here and in every process that a test starts.
# Where two processes have two threads each on two cores, each thread waits for one that is not
# running, and a fit takes several times as long.
os.environ.update(HF_HUB_OFFLINE="1", OMP_NUM_THREADS="1")

import hypothesis
import torch
from PIL import Image

from imagic_lora import Adapter, FitSettings, ImagicEditor
from imagic_lora.models.blueprint import find_blueprint
from tests.support.tiny import Kind, build

hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test that tries to reach the network, even if it catches every Exception."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            pytest.fail(f"a test tried to connect to {address}")
        connect(self, address)

    def no_lookup(host: Any, *_: Any, **__: Any) -> None:
        pytest.fail(f"a test tried to look up {host}")

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded)
    monkeypatch.setattr(socket, "getaddrinfo", no_lookup)


@pytest.fixture(autouse=True)
def _no_traces() -> Iterator[None]:
    """Fail the test that leaves a changed process-wide state behind, and give each its own seed."""
    before = _state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
    assert before == _state()


def _state() -> dict[str, object]:
    """Return what a test must leave as it was."""
    return {
        "folder": Path.cwd(),
        "environment": {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"},
        "dtype": torch.get_default_dtype(),
        "threads": torch.get_num_threads(),
        "gradients": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Kind], Path]:
    """Give the folder of a tiny pipeline, saved as diffusers saves it."""

    @cache
    def saved(kind: Kind) -> Path:
        path = tmp_path_factory.mktemp("models") / f"tiny-{kind}"
        build(kind).save_pretrained(path)
        return path

    return saved


@pytest.fixture(scope="session")
def editor(folder: Callable[[Kind], Path]) -> Callable[[Kind], ImagicEditor]:
    """Give an editor over a tiny pipeline; shared, since no work changes its base model."""
    return cache(lambda kind: ImagicEditor.from_pretrained(folder(kind)))


@pytest.fixture(scope="session")
def adapter(
    editor: Callable[[Kind], ImagicEditor], picture: Image.Image
) -> Callable[[Kind], Adapter]:
    """Give a short fit of the picture on a tiny pipeline.

    Its caption is a part of every target, so that no edit has to look for what both share.
    """
    settings = FitSettings(steps=4, rank=2)

    @cache
    def fitted(kind: Kind) -> Adapter:
        return editor(kind).fit(picture, target="a cat", source="a", settings=settings)

    return fitted


@pytest.fixture
def tiny(
    monkeypatch: pytest.MonkeyPatch,
    editor: Callable[[Kind], ImagicEditor],
    folder: Callable[[Kind], Path],
) -> None:
    """Plan for and load a tiny model, already in memory, whatever model is asked for."""
    model, blueprint = editor("sd1").model, find_blueprint(folder("sd1"))
    monkeypatch.setattr("imagic_lora.editor.load_model", lambda *_, **__: model)
    monkeypatch.setattr("imagic_lora.planning.choose.find_blueprint", lambda _: blueprint)
    monkeypatch.setattr("imagic_lora.planning.forecast.find_blueprint", lambda _: blueprint)


@pytest.fixture(scope="session")
def picture() -> Image.Image:
    """Give a picture with structure: two gradients and a flat channel."""
    across = Image.linear_gradient("L").resize((32, 32))
    flat = Image.new("L", (32, 32), 90)
    return Image.merge("RGB", (across, across.rotate(90), flat))
