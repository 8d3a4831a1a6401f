import contextlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imagic_lora import (
    Adapter,
    EditSettings,
    ImageError,
    ImagicEditor,
    SamplingSettings,
)
from imagic_lora.editing.recipe import read_recipe
from imagic_lora.images.png import save_png
from imagic_lora.ui.jobs.pictures import PictureFolder
from tests.support.tiny import Kind

Editor = Callable[[Kind], ImagicEditor]
Fitted = Callable[[Kind], Adapter]
VALID: dict[str, Any] = {
    "kind": "Edit",
    "version": "0.1.0",
    "target": "a cat",
    "alpha": 0.5,
    "adapter_sha256": "0" * 64,
    "settings": {"steps": 3, "seed": 1},
}


def written(folder: Path, record: Mapping[str, Any]) -> Path:
    """Write a picture that carries a record."""
    path = folder / "picture.png"
    save_png(Image.new("RGB", (16, 16)), path, record, force=True)
    return path


def test_an_edit_gives_back_what_made_it(tmp_path: Path, editor: Editor, adapter: Fitted) -> None:
    """Prompt, strength, seed, every setting and the adapter are read from the PNG."""
    settings = EditSettings(steps=2, seed=7, guidance=3.0, negative="a dog")
    made = editor("sd1").edit(adapter("sd1"), alpha=1.25, target="a fox", settings=settings)

    recipe = read_recipe(PictureFolder(tmp_path).save(made, "alpha 1.25", "seed 7").path)

    assert ("a fox", (1.25,), (7,)) == (recipe.target, recipe.alphas, recipe.seeds)
    assert settings == recipe.settings
    assert adapter("sd1").sha256 == recipe.adapter_sha256


def test_a_grid_gives_back_its_sweep(tmp_path: Path, editor: Editor, adapter: Fitted) -> None:
    """All strengths and seeds of a sheet are read from it."""
    folder, made = PictureFolder(tmp_path), []
    for seed in (0, 3):
        for alpha in (0.0, 1.0):
            settings = EditSettings(steps=1, seed=seed)
            picture = editor("sd1").edit(adapter("sd1"), alpha=alpha, settings=settings)
            made.append(folder.save(picture, f"alpha {alpha:g}", f"seed {seed}"))

    recipe = read_recipe(folder.save_sheet(made, made[0].picture.image))

    assert ((0.0, 1.0), (0, 3)) == (recipe.alphas, recipe.seeds)


def test_an_img2img_picture_gives_back_strength_and_noise(
    tmp_path: Path, editor: Editor, picture: Image.Image
) -> None:
    """The baseline's settings are read from its picture."""
    settings = SamplingSettings(steps=2, seed=4)
    made = editor("sd1").img2img(picture, "a fox", strength=0.5, noise=0.25, settings=settings)

    recipe = read_recipe(PictureFolder(tmp_path).save(made, "strength 0.5", "seed 4").path)

    assert ((), 0.5, 0.25) == (recipe.alphas, recipe.strength, recipe.noise)
    assert settings == recipe.settings


def test_a_picture_without_a_record_is_refused(tmp_path: Path) -> None:
    """The refusal says why there is nothing to take up, and names no folder."""
    Image.new("RGB", (16, 16)).save(tmp_path / "plain.png")

    with pytest.raises(ImageError, match=r"^'plain\.png' carries no settings"):
        read_recipe(tmp_path / "plain.png")


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "Script"},
        {"kind": "Sheet", "pictures": []},
        {"kind": "Sheet", "pictures": "many"},
        {"kind": ["Edit"]},
        {"target": ["a cat"]},
        {"target": "x" * 3000},
        {"alpha": "1"},
        {"alpha": True},
        {"alpha": 1e999},
        {"settings": []},
        {"settings": {"steps": -1}},
        {"settings": {"steps": "many"}},
        {"settings": {"seed": {"path": "/etc/passwd"}}},
        {"adapter_sha256": None},
    ],
    ids=json.dumps,
)
def test_a_hostile_record_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    """A record is checked like any input, and answered with an error of ours."""
    with pytest.raises(ImageError, match="not valid"):
        read_recipe(written(tmp_path, VALID | change))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(name=st.sampled_from(sorted(VALID)), value=JSON)
def test_no_record_raises_anything_but_our_error(
    name: str, value: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever stands in a field, a recipe or an ImageError comes of it."""
    with contextlib.suppress(ImageError):
        read_recipe(written(tmp_path_factory.getbasetemp(), VALID | {name: value}))


def test_fields_of_a_later_version_are_left_out(tmp_path: Path) -> None:
    """What this version does not know does not keep it from what it knows."""
    record = VALID | {"settings": VALID["settings"] | {"later": 1}, "also": 2}

    assert EditSettings(steps=3, seed=1) == read_recipe(written(tmp_path, record)).settings
