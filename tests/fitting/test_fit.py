import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from PIL import Image

from imagic_lora import FitError, FitSettings, ImagicEditor, Progress, StopFit
from imagic_lora.fitting import fit as fitting
from imagic_lora.memory import MemoryPlan
from imagic_lora.models.stable_diffusion import StableDiffusion
from imagic_lora.progress import ignore
from imagic_lora.seeding import generator, randn
from tests.support.tiny import KINDS, Kind, build

Editor = Callable[[Kind], ImagicEditor]


MODES: list[tuple[Kind, Any]] = [
    *((kind, "joint") for kind in KINDS),
    ("sd1", "two-stage"),
    ("flux2", "two-stage"),
]
"""Every family learns in one loop, which is the same for all; of each kind of denoiser one in two."""


def fit(editor: ImagicEditor, settings: FitSettings, on_progress: Any = ignore) -> fitting.Fitted:
    """Fit random latents from the caption 'a dog'."""
    model = editor.model
    latents = randn((1, model.traits.latent_channels, 16, 16), generator(0, "latents"))
    anchor, unsaid = model.encode_prompt("a dog", "").rows()
    words = (anchor, unsaid) if settings.outweigh else None
    return fitting.fit(model, latents, anchor, settings, on_progress, words)


@contextlib.contextmanager
def planned(editor: ImagicEditor, **changes: Any) -> Iterator[ImagicEditor]:
    """Give the editor with its model working by another plan for the length of a block."""
    model, plan = editor.model, editor.plan
    model.replan(dataclasses.replace(plan, **changes))
    try:
        yield editor
    finally:
        model.replan(plan)


def stop_after(steps: int) -> Callable[[Progress], None]:
    """Return a callback that ends the fit after some steps."""

    def callback(progress: Progress) -> None:
        if progress.step == steps:
            raise StopFit

    return callback


@pytest.mark.parametrize(("kind", "mode"), MODES)
def test_a_fit_brings_the_loss_down(kind: Kind, mode: Any, editor: Editor) -> None:
    """For each family, and in both modes, the loss on fixed noise is lower after the fit than before."""
    fitted = fit(
        editor(kind), FitSettings(mode=mode, steps=12, batch=4, rank=2, lora_lr=4e-3, outweigh=0)
    )

    assert fitted.gap < 0.97


def test_a_joint_fit_moves_embedding_and_lora(editor: Editor) -> None:
    """Both are learned in one loop of the given number of steps."""
    start = editor("sd1").model.encode_prompt("a dog")

    fitted = fit(editor("sd1"), FitSettings(steps=3, rank=2))

    assert 3 == len(fitted.losses)
    assert not start.equal(fitted.conditioning)
    assert all(tensor.any() for name, tensor in fitted.lora.items())


def test_two_stages_move_the_embedding_first_and_the_lora_at_it(editor: Editor) -> None:
    """The embedding after both stages is that of the first one alone (the paper's order)."""
    settings = FitSettings(mode="two-stage", steps=3, rank=2)
    seen: list[tuple[str, int]] = []

    whole = fit(editor("sd1"), settings, lambda p: seen.append((p.phase, p.step)))
    first = fit(editor("sd1"), settings, stop_after(3))

    assert [*[("fit embedding", n) for n in (1, 2, 3)], *[("fit", n) for n in (1, 2, 3)]] == seen
    assert whole.conditioning.equal(first.conditioning)
    assert 3 == len(first.losses)
    assert not any(t.any() for name, t in first.lora.items() if ".lora_B." in name)
    assert all(t.any() for name, t in whole.lora.items())


def test_a_learning_rate_of_zero_holds_the_embedding(editor: Editor) -> None:
    """With embedding_lr 0 the embedding stays at the caption's own."""
    start = editor("sd1").model.encode_prompt("a dog")

    fitted = fit(editor("sd1"), FitSettings(steps=2, rank=2, embedding_lr=0))

    assert start.equal(fitted.conditioning)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fit_stops_once_it_outweighs_its_words(kind: Kind, editor: Editor) -> None:
    """The steps are an upper limit: the fit ends at the next look at what it has changed."""
    lengths = [
        len(fit(editor(kind), FitSettings(steps=13, rank=2, outweigh=outweigh)).losses)
        for outweigh in (0.01, 0.0)
    ]

    assert [6, 13] == lengths


@pytest.mark.parametrize(
    "prompts", [{"source": "a dog"}, {"source": "", "target": "a cat"}, {"target": "a cat"}]
)
def test_a_fit_is_held_against_the_words_that_it_is_given(
    prompts: dict[str, Any], editor: Editor, picture: Image.Image
) -> None:
    """Against its target, or its caption where it has none; with 0 it makes every step."""
    settings = FitSettings(steps=13, rank=2, outweigh=0.01)

    ended = editor("sd1").fit(picture, **prompts, settings=settings)
    whole = editor("sd1").fit(
        picture, **prompts, settings=dataclasses.replace(settings, outweigh=0)
    )

    assert 6 == len(ended.record.losses)
    assert 13 == len(whole.record.losses)


def test_stop_keeps_what_was_learned(editor: Editor) -> None:
    """A StopFit raised in the callback returns the adapter of the steps that were done."""
    settings = FitSettings(steps=50, rank=2)

    stopped = fit(editor("sd1"), settings, stop_after(2))
    short = fit(editor("sd1"), dataclasses.replace(settings, steps=2))

    assert short.losses == stopped.losses
    assert short.conditioning.equal(stopped.conditioning)
    assert all(torch.equal(short.lora[name], stopped.lora[name]) for name in short.lora)


def test_progress_tells_step_loss_and_time(editor: Editor) -> None:
    """Every step is reported once, in order, with its loss, the time and the memory."""
    seen: list[Progress] = []

    fitted = fit(editor("sd1"), FitSettings(steps=3, rank=2), seen.append)

    assert [1, 2, 3] == [progress.step for progress in seen]
    assert list(fitted.losses) == [progress.loss for progress in seen]
    assert {3} == {progress.steps for progress in seen}
    assert all(progress.peak_bytes > 1_000_000 for progress in seen)
    assert 0 < seen[0].seconds < seen[2].seconds
    assert 0 == seen[2].seconds_left < seen[0].seconds_left


def test_smaller_chunks_learn_the_same(editor: Editor) -> None:
    """The samples of a step give the same gradient one by one as together."""
    settings = FitSettings(steps=3, rank=4)

    expected = fit(editor("sd1"), settings)
    with planned(editor("sd1"), micro_batch=1) as single:
        found = fit(single, settings)

    torch.testing.assert_close(expected.losses, found.losses)
    for name in expected.lora:
        torch.testing.assert_close(expected.lora[name], found.lora[name], atol=1e-3, rtol=1e-2)


def test_checkpointing_learns_the_same(editor: Editor) -> None:
    """Recomputing activations changes nothing that is learned."""
    settings = FitSettings(steps=3, rank=2)

    expected = fit(editor("sd1"), settings)
    with planned(editor("sd1"), checkpointing=True) as frugal:
        found = fit(frugal, settings)

    assert expected.losses == found.losses
    assert all(torch.equal(expected.lora[name], found.lora[name]) for name in expected.lora)


def test_half_precision_learns_nearly_the_same(folder: Any, editor: Editor) -> None:
    """With fp16 weights and loss scaling every step counts, and the loss falls as in float32."""
    plan = MemoryPlan(torch.device("cpu"), torch.float16)
    half = ImagicEditor.from_pretrained(folder("sd1"), memory=plan)
    settings = FitSettings(steps=4, rank=2, lora_lr=1e-3, batch=1)

    expected, found = fit(editor("sd1"), settings), fit(half, settings)

    assert expected.losses == pytest.approx(found.losses, rel=0.01)
    assert 1 - expected.gap == pytest.approx(1 - found.gap, rel=0.1)


def test_a_loss_that_is_no_number_ends_the_fit() -> None:
    """The error gives the step and what to try, and the model is as it was."""
    pipeline = build("sd1")
    with torch.no_grad():
        pipeline.unet.conv_out.bias.fill_(torch.nan)
    editor = ImagicEditor(_model(pipeline))
    modules = [id(module) for module in editor.model.denoiser.modules()]

    with pytest.raises(FitError, match=r"nan at step 1.*half the learning rates"):
        fit(editor, FitSettings(steps=2, rank=2))

    assert modules == [id(module) for module in editor.model.denoiser.modules()]


def test_a_fit_that_makes_things_worse_ends(editor: Editor) -> None:
    """A learning rate far too high raises a FitError instead of returning rubbish."""
    with pytest.raises(FitError, match="half the learning rates"):
        fit(editor("sd1"), FitSettings(steps=200, rank=4, lora_lr=1, embedding_lr=1, outweigh=0))


def test_gradients_that_always_overflow_end_the_fit(
    folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half precision that cannot hold the gradient is an error, not an endless loop."""
    plan = MemoryPlan(torch.device("cpu"), torch.float16)
    editor = ImagicEditor.from_pretrained(folder("sd1"), memory=plan)
    predict = editor.model.predict

    def enormous(*args: Any) -> torch.Tensor:
        return predict(*args) * 1e15

    monkeypatch.setattr(editor.model, "predict", enormous)
    with pytest.raises(FitError, match="overflows half precision"):
        fit(editor, FitSettings(steps=1, rank=2, batch=1))


@pytest.mark.parametrize(("rank", "share"), [(1, 2.0), (4, 1.0), (16, 0.5)])
def test_learning_rates_follow_width_and_rank(rank: int, share: float, editor: Editor) -> None:
    """A setting means the same on a narrow model and at any rank: 320 over the width, root of 4 / rank.

    Adam's first step moves every weight by its rate, whatever the gradient is.
    """
    settings = FitSettings(steps=1, rank=rank, embedding_lr=1e-3, lora_lr=2e-4)
    start = editor("sd1").model.encode_prompt("a dog").tokens

    found = fit(editor("sd1"), settings)

    moved = (found.conditioning.tokens - start).abs().max().item()
    raised = max(t.abs().max().item() for n, t in found.lora.items() if ".lora_B." in n)
    assert 1e-3 * 320 / 16 == pytest.approx(moved, rel=1e-2)
    assert 2e-4 * 320 / 16 * share == pytest.approx(raised, rel=1e-2)


def _model(pipeline: Any) -> StableDiffusion:
    """Return a pipeline as a LatentModel."""
    pipeline.unet.requires_grad_(requires_grad=False)
    return StableDiffusion(pipeline, "broken", MemoryPlan.automatic("cpu"))


@pytest.mark.parametrize(("kind", "mode"), MODES)
def test_a_preview_shows_how_far_a_fit_is(kind: Kind, mode: Any, editor: Editor) -> None:
    """At every step, for each family and in both modes, the fit can draw what it knows, on its own canvas."""
    sizes: list[tuple[int, int]] = []

    def look(progress: Progress) -> None:
        shown = progress.preview and progress.preview()
        sizes.append(shown.size if shown else (0, 0))

    fitted = fit(editor(kind), FitSettings(mode=mode, steps=2, rank=2), look)

    assert [(32, 32)] * len(fitted.losses) == sizes


def test_previews_change_nothing(editor: Editor) -> None:
    """A fit that is looked at ends bit for bit where the same fit ends unseen."""

    def look(progress: Progress) -> None:
        if progress.preview:
            progress.preview()

    unseen, seen = (fit(editor("sd1"), FitSettings(steps=3), how) for how in (ignore, look))

    assert unseen.losses == seen.losses
    assert all(torch.equal(tensor, seen.lora[name]) for name, tensor in unseen.lora.items())


def test_there_is_no_preview_where_memory_is_short(editor: Editor) -> None:
    """A plan that takes the denoiser off the device has no room for the decoder beside it."""
    seen: list[Any] = []

    def look(progress: Progress) -> None:
        seen.append(progress.preview and progress.preview())

    with planned(editor("sd1"), offload_denoiser=True) as tight:
        fit(tight, FitSettings(steps=1), look)

    assert [None] == seen
