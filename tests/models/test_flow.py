"""What a family that is no UNet, follows a flow and has ragged prompts asks of the library."""

from collections.abc import Callable

import pytest
import torch

from imagic_lora import ImagicEditor, SettingsError
from imagic_lora.conditioning import concatenate, interpolate
from imagic_lora.seeding import generator, randn
from tests.support.tiny import Kind

Editor = Callable[[Kind], ImagicEditor]
SHAPE = (1, 16, 16, 16)


def test_prompts_are_as_long_as_they_are(editor: Editor) -> None:
    """A short prompt is filled up beside a long one, and what was filled in does not count."""
    model = editor("flow").model
    short, long = model.encode_prompt("a"), model.encode_prompt("a cat on a mat")

    both = model.encode_prompt("a", "a cat on a mat")

    assert short.tokens.shape[1] < long.tokens.shape[1] == both.tokens.shape[1]
    assert both.mask is not None
    assert [short.tokens.shape[1], long.tokens.shape[1]] == both.mask.sum(dim=1).tolist()
    assert [True, True] == [a.equal(b) for a, b in zip((short, long), both.rows(), strict=True)]


def test_a_prompt_predicts_the_same_beside_a_longer_one(editor: Editor) -> None:
    """The mask reaches the denoiser, so that what was filled in changes nothing."""
    model, (x_t, t) = editor("flow").model, (randn(SHAPE, generator(0, "x")), torch.tensor([0.5]))
    short, both = model.encode_prompt("a"), model.encode_prompt("a", "a cat on a mat")

    with torch.no_grad():
        alone = model.predict(x_t, t, short)
        beside = model.predict(x_t.repeat(2, 1, 1, 1), t.repeat(2), both)[:1]
        unmasked = model.predict(x_t, t, short.padded(12).map(torch.clone))

    torch.testing.assert_close(alone, beside)
    torch.testing.assert_close(alone, unmasked)


def test_ragged_prompts_are_exact_at_both_ends(editor: Editor) -> None:
    """At alpha 0 and 1 the tokens of one prompt alone count; between, those of both."""
    short, long = (editor("flow").model.encode_prompt(text) for text in ("a", "a cat"))

    ends = [interpolate(short, long, alpha).rows()[0] for alpha in (0.0, 1.0)]
    (middle,) = interpolate(short, long, 0.5).rows()
    each = interpolate(concatenate([short] * 2), concatenate([long] * 2), torch.tensor([0.0, 1.0]))

    assert [True, True] == [a.equal(b) for a, b in zip((short, long), ends, strict=True)]
    assert [True, True] == [a.equal(b) for a, b in zip((short, long), each.rows(), strict=True)]
    assert long.tokens.shape == middle.tokens.shape


def test_times_run_from_noise_to_just_above_clean(editor: Editor) -> None:
    """They are shifted towards noise as the model's own scheduler says, and strength leaves some out."""
    model = editor("flow").model
    noise, latents = (randn(SHAPE, generator(seed, "test")) for seed in (0, 1))
    sampler = model.sampler("ddim", 4, SHAPE)

    torch.testing.assert_close(torch.tensor([1.0, 0.9, 0.75, 0.5]), sampler.times)
    begun = sampler.start(noise, latents, 0.5)
    torch.testing.assert_close(torch.tensor([0.75, 0.5]), sampler.times)
    torch.testing.assert_close(0.25 * latents + 0.75 * noise, begun)


def test_a_sampler_that_is_none_for_flows_is_refused(editor: Editor) -> None:
    """The error names those that are."""
    with pytest.raises(SettingsError, match=r"'heun'.*ddim, dpm\+\+, euler, model"):
        editor("flow").model.sampler("heun", 4, SHAPE)
