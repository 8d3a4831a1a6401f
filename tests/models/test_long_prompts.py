"""Prompts that are longer than the text encoder: read in chunks, side by side."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from imagic_lora import Adapter, EditRequest, EditSettings, FitSettings, ImagicEditor
from imagic_lora.seeding import generator, randn
from tests.support.tiny import Kind, build

Editor = Callable[[Kind], ImagicEditor]
CLIP: tuple[Kind, ...] = ("sd1", "sd2", "sdxl")
LONG = "a cat on a mat " * 3
"""33 tokens of the tiny tokenizer, which knows single letters; a chunk has room for 22."""

STEPS = EditSettings(steps=2)


def hidden(encoder: Any, tokenizer: Any, ids: list[int]) -> Any:
    """Return what transformers makes of the ids of one chunk."""
    start, end, pad = (getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad"))
    padded = [start, *ids, end] + [pad] * (22 - len(ids))
    return encoder(torch.tensor([padded]), output_hidden_states=True)


@torch.no_grad()
@pytest.mark.parametrize("kind", CLIP)
def test_a_long_prompt_is_read_in_chunks(kind: Kind, editor: Editor) -> None:
    """Each chunk has a start and an end of its own; the pooled embedding is of the first."""
    pipeline = build(kind)
    ids = pipeline.tokenizer(LONG).input_ids[1:-1]
    encoders = [pipeline.text_encoder, getattr(pipeline, "text_encoder_2", None)]
    chunks = [
        [hidden(encoder, pipeline.tokenizer, some) for encoder in encoders if encoder]
        for some in (ids[:22], ids[22:])
    ]

    found = editor(kind).model.encode_prompt(LONG)

    layers = [
        [chunk.hidden_states[-2] if kind == "sdxl" else chunk.last_hidden_state for chunk in pair]
        for pair in chunks
    ]
    expected = torch.cat([torch.cat(pair, dim=-1) for pair in layers], dim=1)
    torch.testing.assert_close(expected, found.tokens)
    if kind == "sdxl":
        torch.testing.assert_close(chunks[0][1].text_embeds, found.pooled)


@pytest.mark.parametrize("kind", CLIP)
def test_prompts_that_fit_are_one_piece(kind: Kind, editor: Editor) -> None:
    """The longest prompt of one chunk is cut nowhere, and one letter more makes two."""
    encode = editor(kind).model.encode_prompt

    counts = [encode("a" * letters).tokens.shape[1] for letters in (22, 23, 44, 45)]

    assert [24, 48, 48, 72] == counts


@torch.no_grad()
@pytest.mark.parametrize("kind", CLIP)
def test_a_prompt_predicts_the_same_beside_longer_ones(kind: Kind, editor: Editor) -> None:
    """What a short prompt is filled up with in a batch changes nothing of its prediction."""
    model, prompts = editor(kind).model, ("a cat", LONG, LONG * 2)
    x_t, t = randn((1, 4, 16, 16), generator(0, "x")), torch.tensor([500])

    alone = [model.predict(x_t, t, model.encode_prompt(prompt)) for prompt in prompts]
    beside = model.predict(x_t.repeat(3, 1, 1, 1), t.repeat(3), model.encode_prompt(*prompts))

    torch.testing.assert_close(torch.cat(alone), beside, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("direction", ["guided", "interpolate"])
def test_an_adapter_of_a_short_caption_is_edited_towards_a_long_target(
    direction: Any, editor: Editor, adapter: Callable[[Kind], Adapter]
) -> None:
    """What lies beyond the first chunk counts, and alpha still leads from the input on evenly."""
    settings = EditSettings(steps=2, direction=direction, fidelity=0, focus=0)

    def edit(alpha: float, target: str) -> torch.Tensor:
        edits = editor("sd1").edits(
            [EditRequest(adapter=adapter("sd1"), target=target)], settings=settings
        )
        return edits.with_latents([alpha])[1]

    whole, cut = edit(1.0, "a cat " * 10 + "z"), edit(1.0, "a cat " * 10)
    zero, little = edit(0.0, "a cat " * 10 + "z"), edit(1e-4, "a cat " * 10 + "z")

    assert not torch.allclose(whole, cut, atol=1e-4)
    torch.testing.assert_close(zero, little, atol=1e-3, rtol=0)


@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_a_long_caption_is_fitted_whole(
    kind: Kind, editor: Editor, picture: Image.Image, tmp_path: Path
) -> None:
    """Its adapter is saved, loaded, and edited beside others, towards short and long targets."""
    settings, path = FitSettings(steps=2, rank=2), tmp_path / "long.safetensors"

    editor(kind).fit(picture, target="a cat", source=LONG, settings=settings).save(path)

    adapter = Adapter.load(path)
    assert (1, 48) == adapter.conditioning.tokens.shape[:2]
    for target in ("a", LONG + "z"):
        edits = editor(kind).edit_batch(
            [EditRequest(adapter=adapter, target=target)] * 2, settings=STEPS
        )
        assert (32, 32) == edits[0].image.size


def test_a_caption_is_found_in_a_long_target(editor: Editor, picture: Image.Image) -> None:
    """The search takes parts of the whole target, which are of one chunk or of several."""
    seen = list[int]()

    found = editor("sd1").caption(
        picture, "abcdefgh ijklmnop qrstuvwx", on_progress=lambda step: seen.append(step.step)
    )

    assert "abcdefgh ijklmnop qrstuvwx" != found
    assert seen
