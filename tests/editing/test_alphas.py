from collections.abc import Callable

import pytest
from PIL import Image

from imagic_lora import Adapter, Edit, EditSettings, ImagicEditor, SettingsError
from imagic_lora.editing.alphas import AUTO_ALPHAS, AlphaSearch
from imagic_lora.images.pixels import to_images
from tests.support.tiny import Kind

Editor = Callable[[Kind], ImagicEditor]
Fitted = Callable[[Kind], Adapter]
FEW = EditSettings(steps=2)


def found(surprises: tuple[float, ...], changes: tuple[float, ...] = ()) -> AlphaSearch:
    """Return an edit at alpha 1, 2, 3 ... with what was made of it."""
    edits = tuple(
        Edit(
            image=Image.new("RGB", (8, 8)),
            target="a cat",
            settings=FEW,
            base_model="tiny",
            fingerprint="",
            alpha=float(alpha),
            adapter_sha256="",
        )
        for alpha in range(1, len(surprises) + 1)
    )
    return AlphaSearch(edits=edits, surprises=surprises, changes=changes or (0.0,) * len(edits))


def test_the_likeliest_picture_is_the_best() -> None:
    """The strength is the one whose picture surprises the base model least."""
    assert found((3.0, 1.0, 2.0)).best.alpha == 2


def test_the_useful_range_is_around_the_best() -> None:
    """It holds the neighbours that serve nearly as well, and nothing beyond a worse one."""
    assert found((1.05, 2.0, 1.1, 1.0, 1.1, 3.0)).useful == (3, 5)
    assert found((1.0, 2.0)).useful == (1, 1)


def test_even_steps_are_even_in_change() -> None:
    """Between the strengths that were tried the change is taken to grow along a line."""
    assert found((1.0, 1.0), (0.2, 0.4)).evenly(5) == (0, 0.5, 1, 1.5, 2)
    assert found((1.0, 1.0), (0.3, 0.4)).evenly(3) == (0, 0.6667, 2)


def test_a_change_that_falls_is_no_step_back() -> None:
    """Alphas rise even where a stronger edit differs less from the input."""
    alphas = found((1.0, 1.0, 1.0), (0.4, 0.3, 0.8)).evenly(9)

    assert sorted(alphas) == list(alphas)
    assert (alphas[0], alphas[-1]) == (0, 3)


def test_the_choice_is_told_in_words() -> None:
    """The sentence names the choice, what was tried, the prompt and the useful range."""
    text = found((1.05, 1.0, 9.0)).explain()

    assert all(part in text for part in ("alpha 2", "1, 2, 3", "'a cat'", "1 to 2 serve"))


def test_auto_is_the_best_of_those_tried(editor: Editor, adapter: Fitted) -> None:
    """An automatic edit is, pixel for pixel, the edit at the strength that was found."""
    strength = editor("sd1").find_alpha(adapter("sd1"), target="a cat", settings=FEW)

    edit = editor("sd1").edit(adapter("sd1"), alpha="auto", target="a cat", settings=FEW)

    assert tuple(one.alpha for one in strength.edits) == AUTO_ALPHAS
    assert (edit.alpha, edit.image) == (strength.best.alpha, strength.best.image)
    again = editor("sd1").edit(adapter("sd1"), alpha=edit.alpha, target="a cat", settings=FEW)
    assert again.image == edit.image


def test_no_strength_to_try_is_refused(editor: Editor, adapter: Fitted) -> None:
    """An empty list is a mistake, said before any work."""
    with pytest.raises(SettingsError, match="at least one alpha"):
        editor("sd1").find_alpha(adapter("sd1"), alphas=())


def test_surprise_is_repeatable_and_of_the_base_model(editor: Editor, adapter: Fitted) -> None:
    """The opinion of a picture does not depend on what was edited before."""
    sd1 = editor("sd1")
    (picture,) = to_images(sd1.model.decode(adapter("sd1").latents.float()))

    before = sd1.surprise(picture, "a cat")
    sd1.edit(adapter("sd1"), target="a cat", settings=FEW)

    assert sd1.surprise(picture, "a cat") == before > 0


@pytest.mark.parametrize("kind", ["sd2-v", "sdxl"])
def test_every_family_has_an_opinion(kind: Kind, editor: Editor, adapter: Fitted) -> None:
    """AlphaSearchs are found whatever the model predicts and however it is conditioned."""
    strength = editor(kind).find_alpha(
        adapter(kind), alphas=(0.5, 1), target="a cat", settings=EditSettings(steps=1)
    )

    assert min(strength.surprises) > 0
