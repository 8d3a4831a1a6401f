from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imagic_lora import (
    Adapter,
    EditRequest,
    EditSettings,
    ImageError,
    ImagicEditor,
    ImagicWarning,
    demo,
)
from imagic_lora.editing import masks
from imagic_lora.editing.recipe import read_recipe
from tests.support.tiny import Kind

QUICK = EditSettings(steps=2, guidance=2.0, focus=0)


def half() -> Image.Image:
    """Return a mask whose left half is white."""
    mask = Image.new("L", (32, 32))
    mask.paste(255, (0, 0, 16, 32))
    return mask


@pytest.mark.parametrize(
    "values",
    [
        np.array(half()),
        np.array(half()) > 0,
        np.array(half(), dtype=np.float32) / 255,
        np.array(half())[..., None],
    ],
    ids=["levels", "booleans", "shares", "channel"],
)
def test_an_array_is_a_mask(
    values: np.ndarray,
    editor: Callable[[Kind], ImagicEditor],
    adapter: Callable[[Kind], Adapter],
) -> None:
    """Levels, booleans and shares hold the edit like the picture that they are of."""
    ours, fitted = editor("sd1"), adapter("sd1")
    expected = ours.edit(fitted, mask=half(), settings=QUICK)

    assert expected == ours.edit(fitted, mask=values, settings=QUICK)


def test_what_a_mask_shuts_is_not_what_the_rest_is_measured_by(
    editor: Callable[[Kind], ImagicEditor], adapter: Callable[[Kind], Adapter]
) -> None:
    """Where a prompt changes other places more, an edit held to a small one is made there still."""
    requests = [EditRequest(adapter=adapter("sd1"), target="a cat")]

    def changed(mask: Image.Image | None = None) -> torch.Tensor:
        settings = EditSettings(steps=4, guidance=8.0, focus=4.0)
        edits = editor("sd1").edits(requests, settings=settings, mask=mask)
        return (edits.with_latents([1.0])[1] - edits.latents).abs().amax(dim=1)[0]

    place = (slice(12, 16), slice(0, 4))
    mask = Image.new("L", (32, 32))
    mask.paste(255, (0, 24, 8, 32))

    assert changed()[place].max() < 1e-5
    assert changed(mask)[place].min() > 0.01


@pytest.mark.parametrize(
    "values", [np.zeros((4, 4, 3)), np.full((4, 4), 2.0), np.zeros((0, 4)), np.array([["a"]])]
)
def test_what_is_no_mask_is_refused(values: np.ndarray) -> None:
    """The refusal says what was given and what is allowed."""
    with pytest.raises(ImageError, match=r"array of shape .* allowed is \(H, W\)"):
        masks.opened(values)


def test_a_file_is_never_taken_for_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that exists wins, and a picture's ending names a file that is missing."""
    half().save(tmp_path / "the hat", "PNG")
    with monkeypatch.context() as there:
        there.chdir(tmp_path)
        found = [masks.words_of(each) for each in ("the hat", "hat.png", " ", " the cap ")]

    assert ["", "", "", "the cap"] == found


def test_words_find_what_they_name() -> None:
    """Without a segmenter, the bundled model's own predictions show where a smile is."""
    ours = ImagicEditor.from_pretrained(demo.MODEL)
    with pytest.warns(ImagicWarning, match="no segmenter is installed.*hf download"):
        found = ours.find_mask(demo.PICTURE, "a smile")

    assert (64, 64) == found.size
    left, upper, right, lower = found.getbbox() or (0, 0, 0, 0)
    assert 8 <= left < right <= 56
    assert 28 <= upper < lower <= 60


def test_an_edit_carries_its_mask(
    tmp_path: Path,
    editor: Callable[[Kind], ImagicEditor],
    adapter: Callable[[Kind], Adapter],
) -> None:
    """The PNG alone gives the mask back, and the words that it was found by."""
    ours, fitted = editor("sd1"), adapter("sd1")
    with pytest.warns(ImagicWarning, match="no segmenter"):
        edit = ours.edit(fitted, mask="a cat", settings=QUICK)
    edit.save(tmp_path / "edit.png")

    recipe = read_recipe(tmp_path / "edit.png")
    assert recipe.mask is not None
    again = ours.edit(fitted, mask=recipe.mask, settings=QUICK)
    assert "a cat" == recipe.mask_words
    assert edit.image.tobytes() == again.image.tobytes()
    assert edit.mask_sha256 == again.mask_sha256


@pytest.mark.parametrize("text", ["", "%%%", "aGVsbG8=", "A" * 400_000])
def test_a_mask_that_somebody_wrote_is_checked(text: str) -> None:
    """A record is checked like any input."""
    with pytest.raises(ImageError, match="mask in the record"):
        masks.from_text(text)


def test_a_mask_too_large_to_carry_is_left_out() -> None:
    """A picture does not grow by more than its mask is worth."""
    assert masks.to_text(Image.effect_noise((1024, 1024), 90)) is None
    assert masks.to_text(half()) is not None
