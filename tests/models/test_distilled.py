"""Siblings that are distilled to a few steps: klein without "base" in its name, Z-Image Turbo."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from imagic_lora import (
    Adapter,
    EditSettings,
    FitError,
    ImagicEditor,
    ModelError,
    SamplingSettings,
    SettingsError,
)
from imagic_lora.memory import MemoryPlan
from imagic_lora.models.loading import load_model
from tests.support.tiny import Kind

EACH = pytest.mark.parametrize("kind", ["flux2", "zimage"])
BASES = {"flux2": "FLUX.2-klein-base-9B", "zimage": "Tongyi-MAI/Z-Image"}
Distilled = Callable[[Kind], ImagicEditor]


@pytest.fixture
def distilled(folder: Callable[[Kind], Path], tmp_path: Path) -> Distilled:
    """Give an editor over the tiny pipeline as its distilled sibling says that it is one."""

    def made(kind: Kind) -> ImagicEditor:
        path = Path(shutil.copytree(folder(kind), tmp_path / kind))
        file = path / {"flux2": "model_index.json"}.get(kind, "scheduler/scheduler_config.json")
        told = ("is_distilled", True) if kind == "flux2" else ("shift", 3.0)
        file.write_text(json.dumps(json.loads(file.read_text()) | dict([told])))
        return ImagicEditor.from_pretrained(path)

    return made


@EACH
def test_a_fit_is_refused_with_the_model_to_fit_on(
    kind: Kind, distilled: Distilled, picture: Image.Image
) -> None:
    """It would lose its few steps; the sentence names the undistilled base."""
    with pytest.raises(FitError, match=f"distilled.*fit on.*{BASES[kind]}"):
        distilled(kind).fit(picture, source="a dog")


@EACH
def test_an_adapter_of_the_base_edits_there(
    kind: Kind, distilled: Distilled, adapter: Callable[[Kind], Adapter]
) -> None:
    """At its few steps; the trained weights being the same here, there is nothing to warn of."""
    edit = distilled(kind).edit(adapter(kind), settings=EditSettings(steps=2))

    assert (32, 32) == edit.image.size


@EACH
def test_a_negative_prompt_is_refused(
    kind: Kind, distilled: Distilled, adapter: Callable[[Kind], Adapter], picture: Image.Image
) -> None:
    """It has no classifier-free guidance; img2img is the bare prediction, and its record says so."""
    editor, blurry = distilled(kind), {"negative": "blurry", "steps": 2}

    with pytest.raises(SettingsError, match=r"negative prompt.*distilled"):
        editor.edit(adapter(kind), settings=EditSettings(**blurry))  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=r"negative prompt.*distilled"):
        editor.img2img(picture, "a cat", settings=SamplingSettings(**blurry))  # type: ignore[arg-type]
    made = editor.img2img(picture, "a cat", settings=SamplingSettings(steps=2))
    assert 1 == made.settings.guidance


def test_flux2_dev_is_named_as_too_large(folder: Callable[[Kind], Path], tmp_path: Path) -> None:
    """The sentence says why, and what to use."""
    path = Path(shutil.copytree(folder("flux2"), tmp_path / "dev"))
    index = json.loads((path / "model_index.json").read_text())
    (path / "model_index.json").write_text(json.dumps(index | {"_class_name": "Flux2Pipeline"}))

    with pytest.raises(ModelError, match=r"'dev' is FLUX\.2 dev.*32 billion.*klein-base-4B"):
        load_model(path, MemoryPlan.automatic("cpu"))
