from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageChops

from imagic_lora import Adapter, EditSettings, FitSettings, ImagicEditor
from imagic_lora.images.reading import open_image
from tests.support.tiny import Kind

Editor = Callable[[Kind], ImagicEditor]

QUICK = EditSettings(steps=2, guidance=2.0, focus=0)
SIZE = (64, 48)


@pytest.fixture(scope="module", params=["sd1", "sd2-v", "flow"])
def fitted(request: pytest.FixtureRequest, editor: Editor) -> tuple[ImagicEditor, Adapter]:
    """Give an editor and an adapter of noise, which no autoencoder can hold."""
    noise = Image.merge("RGB", [Image.effect_noise(SIZE, 90) for _ in range(3)])
    settings = FitSettings(steps=1, rank=1, width=SIZE[0], height=SIZE[1])
    one = editor(request.param)
    return one, one.fit(noise, source="a", target="a cat", settings=settings)


def test_alpha_0_is_the_input_pixel_for_pixel(fitted: tuple[ImagicEditor, Adapter]) -> None:
    """What the autoencoder cannot hold comes back with the rest."""
    editor, adapter = fitted

    assert adapter.input is not None
    assert adapter.input == editor.edit(adapter, alpha=0, settings=QUICK).image
    assert adapter.input == editor.input_image(adapter)


def test_outside_a_mask_every_pixel_is_the_inputs(fitted: tuple[ImagicEditor, Adapter]) -> None:
    """An autoencoder spreads what is edited; outside the mask nothing of it shows."""
    editor, adapter = fitted
    mask = Image.new("L", SIZE)
    mask.paste(255, (0, 0, 24, 48))

    edit = editor.edit(adapter, alpha=2, mask=mask, settings=QUICK).image

    assert adapter.input is not None
    changed = ImageChops.difference(edit, adapter.input).getbbox()
    assert changed is not None
    assert changed[2] <= 24


def test_where_much_changes_nothing_of_the_input_is_added(
    fitted: tuple[ImagicEditor, Adapter],
) -> None:
    """What was lost belongs to what was there: it fades where the edit shows something else."""
    editor, adapter = fitted
    free = EditSettings(steps=2, guidance=2.0, fidelity=0, focus=0)

    with_input = editor.edit(adapter, alpha=8, settings=free).image
    without = editor.edit(replace(adapter, picture=b""), alpha=8, settings=free).image

    texture = np.asarray(adapter.input, float) - np.asarray(
        editor.input_image(replace(adapter, picture=b"")), float
    )
    added = np.asarray(with_input, float) - np.asarray(without, float)
    assert np.abs(added).mean() < 0.2 * np.abs(texture).mean()


def test_another_size_than_the_fits_takes_no_pixels(fitted: tuple[ImagicEditor, Adapter]) -> None:
    """Pixels of the fitted canvas say nothing of another one."""
    editor, adapter = fitted
    smaller = EditSettings(steps=1, width=32, height=24)

    one = editor.edit(adapter, alpha=0, settings=smaller).image
    other = editor.edit(replace(adapter, picture=b""), alpha=0, settings=smaller).image

    assert one == other


def test_the_input_survives_the_file(
    fitted: tuple[ImagicEditor, Adapter], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """An adapter that was saved gives back the same pixels, and its picture is an ordinary PNG."""
    _, adapter = fitted
    path = tmp_path_factory.mktemp("kept") / "input.png"
    path.write_bytes(Adapter.from_bytes(adapter.to_bytes()).picture)

    assert open_image(path) == adapter.input
