"""What adapters hold of an embedding."""

from collections.abc import Callable

import pytest
import torch

from imagic_lora import Adapter, AdapterMismatchError, FitSettings, ImagicEditor
from imagic_lora.fitting.fit import fit
from imagic_lora.models.learned import kept, restored
from imagic_lora.models.parts.text import movable
from imagic_lora.progress import ignore
from imagic_lora.seeding import generator, randn
from tests.support.tiny import FLOWS, KINDS, Kind

Editor = Callable[[Kind], ImagicEditor]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_kept_is_restored(kind: Kind, editor: Editor) -> None:
    """For each family, a caption's embedding with what was held is what was learned."""
    model = editor(kind).model
    anchor = model.encode_prompt("a dog")
    shape = (1, model.traits.latent_channels, 16, 16)
    learned = fit(
        model, randn(shape, generator(0, "x")), anchor, FitSettings(steps=2, rank=1), ignore
    ).conditioning

    held = kept(model, learned, anchor)
    (back,) = restored(model, [held], ["a dog"]).rows()

    for expected, found in zip(learned.tensors(), back.tensors(), strict=True):
        torch.testing.assert_close(expected, found)


@pytest.mark.parametrize("kind", ["sd3", "flux2"])
def test_a_fit_moves_the_prompts_own_tokens_alone(kind: Kind, editor: Editor) -> None:
    """What fills a prompt up stays as it was, bit for bit, so that a file need not hold it."""
    model = editor(kind).model
    anchor = model.encode_prompt("a dog")
    shape = (1, model.traits.latent_channels, 16, 16)
    settings = FitSettings(steps=3, rank=1)

    learned = fit(model, randn(shape, generator(0, "x")), anchor, settings, ignore).conditioning

    assert anchor.own is not None
    moved = (learned.tokens != anchor.tokens).any(dim=-1)
    assert torch.equal(anchor.own, moved)
    assert int(moved.sum()) < moved.numel()
    assert int(moved.sum()) == kept(model, learned, anchor).tokens.shape[1]


@pytest.mark.parametrize("width", [2560, 4096, 7680, 12288])
def test_an_embedding_takes_two_megabytes_at_most(width: int) -> None:
    """However long the prompt, no more tokens move than that, the first ones."""
    own = torch.arange(512)[None] < 500

    moving = movable(own, width)

    assert 2 * width * int(moving.sum()) <= 2_000_000 < 2 * width * (int(moving.sum()) + 1)
    assert bool(moving[0, : int(moving.sum())].all())


@pytest.mark.parametrize("kind", FLOWS)
def test_adapters_of_several_captions_are_restored_together(
    kind: Kind, editor: Editor, adapter: Callable[[Kind], Adapter]
) -> None:
    """Each row is what it is alone, also where captions differ in length."""
    model, held = editor(kind).model, adapter(kind).conditioning
    longer = kept(model, *[model.encode_prompt("a dog on a mat")] * 2)

    both = restored(model, [held, longer, held], ["a", "a dog on a mat", "a"]).rows()

    assert restored(model, [held], ["a"]).equal(both[0])
    assert both[0].equal(both[2])
    torch.testing.assert_close(model.encode_prompt("a dog on a mat").tokens, both[1].tokens)


@pytest.mark.parametrize("kind", FLOWS)
def test_a_caption_of_another_length_is_no_match(
    kind: Kind, editor: Editor, adapter: Callable[[Kind], Adapter]
) -> None:
    """Tokens that the model does not count as the caption's own are refused."""
    with pytest.raises(AdapterMismatchError, match="tokens of its caption 'a longer caption'"):
        restored(editor(kind).model, [adapter(kind).conditioning], ["a longer caption"])
