from collections.abc import Callable

import pytest
import torch

from imagic_lora import Adapter, EditRequest, EditSettings, ImagicEditor
from imagic_lora.conditioning import Conditioning, concatenate
from imagic_lora.editing import sampling
from imagic_lora.editing.focus import (
    asked_share,
    change_map,
    differences,
    focus_mask,
    reach,
    spill,
)
from imagic_lora.models.looks import Looks
from imagic_lora.progress import ignore
from imagic_lora.seeding import generator, randn
from tests.support.tiny import Kind

Editor = Callable[[Kind], ImagicEditor]
Fitted = Callable[[Kind], Adapter]


def latents(seed: int) -> torch.Tensor:
    """Return latents of a picture that no one has seen."""
    return randn((1, 4, 16, 16), generator(seed, "test"))


class LeftHalf:
    """A model whose prediction follows the prompt in the left half of the picture alone."""

    def __init__(self, model: object) -> None:
        self.objective = model.objective  # type: ignore[attr-defined]

    def predict(
        self, x_t: torch.Tensor, t: torch.Tensor, conditioning: Conditioning
    ) -> torch.Tensor:
        """Return the noisy latents, with the mean of the conditioning added on the left."""
        del t
        predicted = x_t.clone()
        predicted[..., :8] += conditioning.tokens.mean(dim=(1, 2))[:, None, None, None]
        return predicted


def test_a_change_is_found_where_the_prediction_follows_the_prompt(editor: Editor) -> None:
    """The map is large where the prompt matters and nothing where it does not."""
    model = LeftHalf(editor("sd1").model)
    source, target = (Conditioning(torch.full((1, 4, 8), value)) for value in (0.0, 1.0))

    looks = Looks(model, latents(0))  # type: ignore[arg-type]
    change = change_map(differences(looks.at(source), looks.at(target)))

    assert change.shape == (1, 1, 16, 16)
    torch.testing.assert_close(change[..., :7], torch.ones(1, 1, 16, 7))
    assert change[..., 9:].abs().max() < 1e-5


def test_each_row_has_a_map_of_its_own(editor: Editor) -> None:
    """In a batch, a row's map is the one that it has alone."""
    model = editor("sd1").model
    own, cat, dog = (model.encode_prompt(text) for text in ("a house", "a cat", "a dog"))

    def change(inputs: torch.Tensor, *prompts: Conditioning) -> torch.Tensor:
        looks = Looks(model, inputs)
        at_own = looks.at(concatenate([own] * len(prompts)))
        return change_map(differences(at_own, looks.at(concatenate([*prompts]))))

    alone = [change(latents(0), cat), change(latents(1), dog)]
    both = change(torch.cat([latents(0), latents(1)]), cat, dog)

    torch.testing.assert_close(both, torch.cat(alone), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("finer", [2, 4, 8])
def test_room_around_a_change_does_not_depend_on_the_resolution(finer: int) -> None:
    """The same change on finer latents opens about the same share of the picture."""
    coarse = torch.zeros(1, 1, 1, 32, 32)
    coarse[..., 12:20, 8:16] = 1

    opened = [
        float((change_map(one) > 0).float().mean())
        for one in (coarse, coarse.repeat_interleave(finer, -1).repeat_interleave(finer, -2))
    ]

    assert opened[0] == pytest.approx(opened[1], rel=0.1)
    assert opened[0] > 1.4 * 64 / 32**2


def test_without_a_change_nothing_is_asked_for(editor: Editor) -> None:
    """Where source and target are the same, the map is zero, not a division by it."""
    own = editor("sd1").model.encode_prompt("a house")

    seen = Looks(editor("sd1").model, latents(0)).at(own)
    none = differences(seen, seen)

    assert not change_map(none).any()
    assert (asked_share(none, none) == 1).all()


@pytest.mark.parametrize(("apart", "expected"), [(1.0, 1.0), (0.25, 4.0), (2.0, 1.0), (0.01, 8.0)])
def test_reach_is_how_much_farther_the_target_is_from_no_prompt(
    editor: Editor, apart: float, expected: float
) -> None:
    """It is a ratio, so a model that follows prompts more strongly changes nothing; 1 to 8."""
    looks = Looks(LeftHalf(editor("sd1").model), torch.cat([latents(0), latents(1)]))  # type: ignore[arg-type]
    empty, source, target = (
        looks.noises(looks.at(Conditioning(torch.full((2, 4, 8), value))))
        for value in (0.0, 1 - apart, 1.0)
    )

    found = reach(empty, source, target)

    torch.testing.assert_close(found, torch.full((2,), expected), rtol=1e-3, atol=1e-3)


def test_what_was_said_gives_way_where_more_is_asked_for() -> None:
    """The share rises with what is asked for against what was said, whatever their scale."""
    asked, said = torch.zeros(3, 1, 1, 16, 16), torch.zeros(3, 1, 1, 16, 16)
    asked[..., :8] = 0.03
    said[..., :4], said[..., 12:] = 0.01, 0.5

    share = asked_share(asked, said)

    assert share.shape == (1, 1, 16, 16)
    torch.testing.assert_close(share[..., :3], torch.full((1, 1, 16, 3), 0.75))
    assert (share[..., 5:11] == 1).all()
    assert share[..., 13:].abs().max() < 1e-6
    torch.testing.assert_close(asked_share(1e3 * asked, 1e3 * said), share)


@pytest.mark.parametrize("focus", [0.1, 0.5, 1.0, 2.0, 4.0])
def test_more_focus_frees_less(focus: float) -> None:
    """The mask rises with the change, from nothing to everything, and falls with the focus."""
    before = latents(0)
    after = before + torch.linspace(0, 1, 16)

    mask = focus_mask(before, after, focus)

    assert mask.shape == (1, 1, 16, 16)
    assert (mask.diff() >= 0).all()
    assert (mask[..., -1] == 1).all()
    assert (focus_mask(before, after, focus + 0.1) <= mask).all()
    assert mask[..., 0].max() == 0


def test_what_drags_along_a_little_stays() -> None:
    """How far the whole moves does not matter, only what moves plainly farther than the rest."""
    before = torch.cat([latents(0), latents(1)])
    moved = torch.full_like(before, 0.1)
    moved[0, :, 4:10, 4:10] = 1
    moved[1] *= 0.01
    moved[1, :, 8:] = 0.1

    mask = focus_mask(before, before + moved, 1.0)

    assert (mask[0, 0, 5:9, 5:9] == 1).all()
    assert not mask[0, 0, :3].any()
    assert (mask[1, 0, 9:] == 1).all()
    assert not mask[1, 0, :6].any()


@pytest.mark.parametrize("focus", [0.5, 1.0, 4.0])
def test_an_edit_of_the_whole_picture_is_not_held(focus: float) -> None:
    """Where even the least changes by more than half of the most, all of it is meant."""
    before = latents(0)
    style = 1 + 0.2 * torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))

    assert (focus_mask(before, before + style, focus) == 1).all()
    assert not focus_mask(before, before, focus).any()


def test_focus_holds_an_edit_to_a_part(editor: Editor, adapter: Fitted) -> None:
    """With focus, fewer latents are far from the input's than without."""
    model, fitted = editor("sd1").model, adapter("sd1")
    request = EditRequest(adapter=fitted, target="a cat")

    def change(focus: float) -> torch.Tensor:
        settings = EditSettings(focus=focus, guidance=8)
        edits = editor("sd1").edits([request], settings=settings)
        predictor, start = edits.predictor([1.0]), edits.start
        sampler = model.sampler("dpm++", 6, tuple(edits.latents.shape))
        found = sampling.denoise(model, sampler, predictor, start, ignore)
        return (found - edits.latents).abs()

    held, free = change(4.0), change(0.0)
    far = free.median()
    assert 0 < (held > far).sum() < 0.9 * (free > far).sum()


def test_a_spill_is_what_changes_where_little_is_asked_for() -> None:
    """A change where the target asks for most counts nothing; elsewhere it counts as it is large."""
    before = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    change = torch.zeros(1, 1, 8, 8)
    change[..., :4] = 1
    asked, aside = before.clone(), before.clone()
    asked[..., :4] += 1
    aside[..., 4:] += 1

    assert spill(before, before, change).item() == 0
    assert spill(before, asked, change).item() == 0
    assert spill(before, aside, change).item() == pytest.approx(1, abs=0.1)
    wider = spill(7 * before, 7 * aside, change)
    assert wider.item() == pytest.approx(spill(before, aside, change).item())
