from collections.abc import Callable

import pytest
from PIL import Image

from imagic_lora import (
    Adapter,
    Edit,
    EditSettings,
    FitSettings,
    ImagicEditor,
    ImagicWarning,
    SettingsError,
)
from imagic_lora.editing.alphas import AlphaSearch, Verdict, choose, next_alpha
from imagic_lora.images.pixels import to_images
from tests.support.tiny import KINDS, Kind

Editor = Callable[[Kind], ImagicEditor]
Fitted = Callable[[Kind], Adapter]
FEW = EditSettings(steps=2)


def found(
    pulls: tuple[float, ...],
    place: float = 0.0,
    spills: tuple[float, ...] = (),
    alphas: tuple[float, ...] = (),
) -> AlphaSearch:
    """Return an edit at some strengths, alpha 1, 2, 3 ... by default, with what was made of it."""
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
        for alpha in alphas or range(1, len(pulls) + 1)
    )
    spills = spills or (0.0,) * len(pulls)
    return AlphaSearch(edits=edits, pulls=pulls, spills=spills, place=place)


def sought(
    remaining: Callable[[float], float], spilled: Callable[[float], float] = lambda _: 0.0
) -> list[float]:
    """Return the strengths that are tried, in turn, on an edit of which all is known."""
    tried: dict[float, Verdict] = {}
    while (alpha := next_alpha(tried)) is not None:
        tried[alpha] = Verdict(remaining(alpha), spilled(alpha))
    return list(tried)


def test_the_nearest_to_alpha_1_that_is_done_is_the_best() -> None:
    """Alpha 1 is the edit done on any model, so it is left only where it is not."""
    assert found((0.1, 0.0, -0.4)).best.alpha == 1
    assert found((0.9, 0.1, 0.0, -0.4)).best.alpha == 2


def test_an_edit_that_changes_more_than_was_asked_gives_way_to_a_weaker_one() -> None:
    """As long as the weaker one is wholly done; where it changes little else it is taken."""
    three = (0.5, 0.75, 1.0)
    assert found((-0.2, -0.4, -0.9), spills=(0.1, 0.3, 0.5), alphas=three).best.alpha == 0.5
    assert found((-0.2, -0.4, -0.9), spills=(0.1, 0.1, 0.5), alphas=three).best.alpha == 0.75
    assert found((0.1, -0.4, -0.9), spills=(0.1, 0.3, 0.5), alphas=three).best.alpha == 0.75
    assert found((-0.2, -0.4, -0.9), spills=(0.0, 0.0, 0.1), alphas=three).best.alpha == 1


def test_where_none_is_done_the_first_that_comes_as_near_is_the_best() -> None:
    """Of strengths that no longer help the weakest is taken, not the strongest."""
    assert found((1.0, 0.5, 0.45, 0.42)).best.alpha == 2
    assert found((1.2, 1.1, 1.3)).best.alpha == 2


def test_where_nothing_can_be_told_alpha_1_is_the_best() -> None:
    """If the target seems true of the input, what is left of it says nothing."""
    assert found((-0.5, -2.0, -0.1), place=0.9).best.alpha == 1


@pytest.mark.parametrize("needed", [0.2, 0.9, 1.0, 1.3, 1.9, 3.5, 6.0, 7.9])
def test_an_edit_that_is_not_done_is_made_stronger(needed: float) -> None:
    """The strength is doubled until it is done, and no weaker one is tried where it is."""
    tried = sought(lambda alpha: 0.0 if alpha >= needed else 1.0)

    assert min(alpha for alpha in (1, 2, 4, 8) if alpha >= needed) == tried[-1]
    assert min(tried) == 1


def test_an_edit_that_spills_is_made_weaker() -> None:
    """Three quarters and a half are tried, as long as each is wholly done and spills."""
    assert sought(lambda _: -1.0, lambda _: 0.5) == [1, 0.75, 0.5]
    assert sought(lambda _: -1.0, lambda alpha: 0.5 * (alpha > 0.8)) == [1, 0.75]
    assert sought(lambda alpha: 0.9 - alpha, lambda _: 0.5) == [1, 0.75]
    assert sought(lambda _: -1.0, lambda _: 0.1) == [1]


def test_an_edit_that_spills_is_not_made_stronger() -> None:
    """Where the base model does not see it done, more of it would take along more still."""
    assert sought(lambda _: 0.6, lambda alpha: 0.05 * alpha) == [1, 2, 4]
    assert sought(lambda alpha: 1.2 - alpha / 2, lambda _: 0.5) == [1]


def test_no_strength_is_tried_twice() -> None:
    """Below one that was found by doubling, what was not done before is not asked for again."""
    assert sought(lambda alpha: 1.4 - alpha, lambda alpha: alpha - 1) == [1, 2, 1.5]
    assert sought(lambda alpha: 1.6 - alpha, lambda alpha: alpha - 1) == [1, 2, 1.5]


def test_a_range_that_does_not_help_ends() -> None:
    """Doubling ends at 8, and after it comes one weaker edit at most: five in all."""
    assert sought(lambda _: 0.6) == [1, 2, 4, 8]
    strong = sought(lambda alpha: 5.0 - alpha, lambda alpha: 0.5 * (alpha > 5))
    assert strong == [1, 2, 4, 8, 6]


def test_the_useful_range_is_around_the_best() -> None:
    """It holds the strengths next to it that are done, and none that changes much more."""
    pulls = (0.9, 0.1, 0.0, -0.05, -0.1, -0.2)
    assert found(pulls, spills=(0.1, 0.1, 0.1, 0.15, 0.3, 0.1)).useful == (2, 4)
    assert found((1.0, 2.0)).useful == (1, 1)


@pytest.mark.parametrize(
    ("search", "reason"),
    [
        (found((0.1,), place=0.9), "true of the input already"),
        (found((0.1,), place=0.5), "does not see in the input what its caption says"),
        (found((0.9, 0.8)), "at no strength"),
    ],
)
def test_a_choice_that_cannot_be_trusted_says_so(search: AlphaSearch, reason: str) -> None:
    """The sentence says why, and that the sheet should be looked at."""
    assert reason in search.doubt
    assert "a guess" in search.explain()
    assert "look at the sheet" in search.doubt


def test_a_choice_that_can_be_trusted_is_not_doubted() -> None:
    """Without a reason nothing is said, however far from the target the model sees the input."""
    assert not found((0.9, 0.1), place=0.2).doubt
    assert not found((0.9, 0.1), place=-1.9).doubt


def test_the_choice_is_told_in_words() -> None:
    """The sentence names the choice, what was tried, the prompt and the useful range."""
    text = found((0.9, 0.1, 0.0)).explain()

    assert all(part in text for part in ("alpha 2", "1, 2, 3", "'a cat'", "2 to 3 serve"))
    weaker = found((-0.3, -0.9), spills=(0.1, 0.5), alphas=(0.75, 1.0)).explain()
    assert all(part in weaker for part in ("alpha 0.75", "'a cat'", "change more than that"))


@pytest.mark.filterwarnings("ignore::imagic_lora.ImagicWarning")
def test_auto_is_the_best_of_those_tried(editor: Editor, adapter: Fitted) -> None:
    """An automatic edit is, pixel for pixel, the edit at the strength that was found."""
    search = editor("sd1").find_alpha(adapter("sd1"), target="a cat", settings=FEW)

    edit = editor("sd1").edit(adapter("sd1"), alpha="auto", target="a cat", settings=FEW)

    assert 1.0 in [one.alpha for one in search.edits]
    alphas = [one.alpha for one in search.edits]
    chosen = choose(alphas, search.pulls, search.spills, search.place)
    assert search.edits[chosen] == search.best
    assert (edit.alpha, edit.image) == (search.best.alpha, search.best.image)
    again = editor("sd1").edit(adapter("sd1"), alpha=edit.alpha, target="a cat", settings=FEW)
    assert again.image == edit.image


@pytest.mark.filterwarnings("ignore::imagic_lora.ImagicWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_what_spills_is_found_without_focus_too(
    kind: Kind, editor: Editor, adapter: Fitted
) -> None:
    """A picture that is the input spills nothing, and any other one something; focus is no need."""
    free = EditSettings(steps=1, focus=0, guidance=1.5)

    search = editor(kind).find_alpha(adapter(kind), alphas=(0, 4), target="a cat", settings=free)

    assert search.spills[0] == pytest.approx(0, abs=1e-3)
    assert search.spills[1] > 1e-2


def test_a_target_that_is_the_caption_is_doubted(editor: Editor, picture: Image.Image) -> None:
    """Between two prompts that say the same there is nothing to find, and a warning says so."""
    sd1 = editor("sd1")
    same = sd1.fit(picture, source="a cat", settings=FitSettings(steps=1, embedding_lr=0))

    with (
        pytest.warns(ImagicWarning, match="look at the sheet"),
        pytest.warns(ImagicWarning, match="hardly lets 'a cat' change its picture"),
    ):
        search = sd1.find_alpha(same, alphas=(0.5, 1), target="a cat", settings=FEW)

    assert search.best.alpha == 1


def test_no_strength_to_try_is_refused(editor: Editor, adapter: Fitted) -> None:
    """An empty list is a mistake, said before any work."""
    with pytest.raises(SettingsError, match="at least one alpha"):
        editor("sd1").find_alpha(adapter("sd1"), alphas=())


def test_a_pull_is_repeatable_and_of_the_base_model(editor: Editor, adapter: Fitted) -> None:
    """The opinion of a picture does not depend on what was edited before."""
    sd1 = editor("sd1")
    (picture,) = to_images(sd1.model.decode(adapter("sd1").latents.float()))

    before = sd1.pull(picture, "a dog", "a cat")
    sd1.edit(adapter("sd1"), target="a cat", settings=FEW)

    assert sd1.pull(picture, "a dog", "a cat") == before
    assert before.whole > 0
    back = sd1.pull(picture, "a cat", "a dog")
    assert back.whole == pytest.approx(before.whole)
    assert back.place == pytest.approx(1 - before.place)


@pytest.mark.filterwarnings("ignore::imagic_lora.ImagicWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_every_family_has_an_opinion(kind: Kind, editor: Editor, adapter: Fitted) -> None:
    """Strengths are found whatever the model predicts and however it is conditioned."""
    search = editor(kind).find_alpha(
        adapter(kind), alphas=(0, 1), target="a cat", settings=EditSettings(steps=1)
    )

    # Untrained models see the input anywhere; where that is near the target, little is left.
    assert search.pulls[0] == pytest.approx(min(1, 4 * (1 - search.place)), abs=0.05)
