from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
)

from imagic_lora import (
    Adapter,
    EditRequest,
    EditSettings,
    ImagicEditor,
    SamplingError,
    SamplingSettings,
    SettingsError,
)
from imagic_lora.conditioning import interpolate
from imagic_lora.editing import guidance, sampling
from imagic_lora.editing import trajectory as trail
from imagic_lora.images.pixels import to_images, to_pixels
from imagic_lora.models.parts.samplers import make_scheduler
from imagic_lora.progress import Progress, ignore
from imagic_lora.seeding import generator, randn
from imagic_lora.settings import Direction, SchedulerName
from tests.support.tiny import FLOWS, Kind, with_scheduler

Editor = Callable[[Kind], ImagicEditor]
Fitted = Callable[[Kind], Adapter]


@pytest.fixture
def adapter(adapter: Fitted) -> Fitted:
    """Give adapters that kept no input: what is asked here is what becomes of latents."""
    return lambda kind: replace(adapter(kind), picture=b"")


@pytest.fixture
def plain(folder: Callable[[Kind], Path], adapter: Fitted, tmp_path: Path) -> Callable[..., Any]:
    """Give a plain diffusers pipeline with the adapter's file loaded into it."""

    def pipeline(kind: Kind, pipeline_class: Any) -> Any:
        adapter(kind).save(tmp_path / "a.safetensors", force=True)
        loaded = ending_clean(pipeline_class.from_pretrained(folder(kind)))
        loaded.load_lora_weights(tmp_path, weight_name="a.safetensors", adapter_name="ours")
        loaded.set_progress_bar_config(disable=True)
        return loaded

    return pipeline


SHAPE = (1, 4, 16, 16)

MORE = "a dog and a cat"
"""A target that repeats the caption of the adapters, so that edits start at what they fitted."""


def ending_clean(pipeline: Any) -> Any:
    """Return a pipeline whose DDIM goes all the way from noise to clean latents."""
    pipeline.scheduler = DDIMScheduler.from_config(
        pipeline.scheduler.config, set_alpha_to_one=True, timestep_spacing="trailing"
    )
    return pipeline


def theirs_named(name: SchedulerName, own: Any) -> Any:
    """Return diffusers' own scheduler of a name, for 8 steps."""
    if name == "dpm++":  # whose steps are ours
        return DPMSolverMultistepScheduler.from_config(
            own.config, timestep_spacing="trailing", final_sigmas_type="zero"
        )
    return make_scheduler(name, own, 8)


def noise(seed: int) -> torch.Tensor:
    """Return the noise that a seed starts from."""
    return randn(SHAPE, generator(seed, "sample noise"))


def assert_same_pixels(expected: torch.Tensor, image: Any) -> None:
    """Compare pictures within one step of 8-bit rounding."""
    (theirs,) = to_images(expected * 2 - 1)
    difference = to_pixels(theirs, theirs.size) - to_pixels(image, image.size)
    assert difference.abs().max() <= 2 / 255 + 1e-6


@pytest.mark.parametrize("kind", ["sd1", "sd2-v"])
@pytest.mark.parametrize("alpha", [0.0, 0.7, 1.0, 1.4])
def test_interpolated_edit_equals_plain_diffusers(
    kind: Kind, alpha: float, editor: Editor, adapter: Fitted, plain: Callable[..., Any]
) -> None:
    """From pure noise, an edit is the plain pipeline's picture at the interpolated embedding."""
    fitted, model = adapter(kind), editor(kind).model
    own = fitted.conditioning.to("cpu", torch.float32)
    mixed = interpolate(own, model.encode_prompt("a cat"), alpha)
    theirs = plain(kind, StableDiffusionPipeline)(
        prompt_embeds=mixed.tokens,
        negative_prompt_embeds=model.encode_prompt("").tokens,
        guidance_scale=3.0,
        num_inference_steps=5,
        latents=noise(7),
        output_type="pt",
    ).images
    settings = EditSettings(
        direction="interpolate",
        fidelity=0,
        focus=0,
        guidance=3,
        steps=5,
        seed=7,
        scheduler="ddim",
    )

    edit = editor(kind).edit(fitted, alpha=alpha, settings=settings)

    assert_same_pixels(theirs, edit.image)


@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_guided_edit_is_guidance_away_from_the_caption(
    kind: Kind, editor: Editor, adapter: Fitted, plain: Callable[..., Any]
) -> None:
    """A guided edit is the plain pipeline with the caption as the negative prompt."""
    fitted, model = adapter(kind), editor(kind).model
    own, target = model.encode_prompt(fitted.record.source), model.encode_prompt(MORE)
    pipeline_class = StableDiffusionXLPipeline if kind == "sdxl" else StableDiffusionPipeline
    pooled = {}
    if kind == "sdxl":
        pooled = {
            "pooled_prompt_embeds": target.pooled,
            "negative_pooled_prompt_embeds": own.pooled,
        }
    theirs = plain(kind, pipeline_class)(
        prompt_embeds=target.tokens,
        negative_prompt_embeds=own.tokens,
        guidance_scale=2.4,
        num_inference_steps=5,
        latents=noise(7),
        output_type="pt",
        **pooled,
    ).images
    settings = EditSettings(fidelity=0, focus=0, guidance=3, steps=5, seed=7, scheduler="ddim")

    edit = editor(kind).edit(fitted, alpha=0.8, target=MORE, settings=settings)

    assert_same_pixels(theirs, edit.image)


@pytest.mark.parametrize("scheduler", ["ddim", "euler", "dpm++", "heun"])
@pytest.mark.parametrize("strength", [0.0, 0.3, 0.75])
def test_a_noised_start_equals_plain_diffusers(
    scheduler: SchedulerName,
    strength: float,
    editor: Editor,
    adapter: Fitted,
    plain: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Structure lock starts where diffusers' img2img of strength 1 - lock does, at any sampler."""
    fitted, model = adapter("sd1"), editor("sd1").model
    pipeline = plain("sd1", StableDiffusionImg2ImgPipeline)
    pipeline.scheduler = theirs_named(scheduler, pipeline.scheduler)
    target = model.encode_prompt(MORE)
    settings = EditSettings(
        fidelity=0,
        focus=0,
        structure_lock=1 - strength,
        guidance=2,
        steps=8,
        seed=7,
        scheduler=scheduler,
    )
    edit = editor("sd1").edit(fitted, target=MORE, settings=settings)
    if strength == 0:  # diffusers refuses to do nothing
        expected = model.decode(fitted.latents.float())
        assert_same_pixels(expected / 2 + 0.5, edit.image)
        return
    monkeypatch.setattr(
        "diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img.randn_tensor",
        lambda *_, **__: noise(7),
    )
    theirs = pipeline(
        image=fitted.latents.float(),
        prompt_embeds=target.tokens,
        negative_prompt_embeds=fitted.conditioning.tokens.float(),
        guidance_scale=2.0,
        num_inference_steps=8,
        strength=strength,
        output_type="pt",
    ).images

    assert_same_pixels(theirs, edit.image)


def test_strength_zero_has_no_trace_of_the_target(editor: Editor) -> None:
    """At strength 0 the guided prediction is the reconstruction's, bit for bit."""
    model = editor("sd1").model
    own, target = model.encode_prompt("a dog"), model.encode_prompt("a cat")
    x_t, t = noise(0), torch.tensor([500])

    with torch.no_grad():
        expected = model.predict(x_t, t, own)
        found = guidance.guided(model, own, own, target, 0.0)(x_t, t)

    assert torch.equal(expected, found)


def test_strength_one_is_the_target(editor: Editor) -> None:
    """At strength 1 the guided prediction is the one at the target."""
    model = editor("sd1").model
    own, target = model.encode_prompt("a dog"), model.encode_prompt("a cat")
    x_t, t = noise(0), torch.tensor([500])

    with torch.no_grad():
        expected = model.predict(x_t, t, target)
        found = guidance.guided(model, own, own, target, 1.0)(x_t, t)

    torch.testing.assert_close(expected, found)


def test_a_negative_prompt_moves_the_start_of_the_difference(editor: Editor) -> None:
    """With another start, the prediction is own + strength (target - away)."""
    model = editor("sd1").model
    own, away, target = (model.encode_prompt(text) for text in ("a dog", "blurry", "a cat"))
    x_t, t = noise(0), torch.tensor([500])

    with torch.no_grad():
        at_own, at_away, at_target = (model.predict(x_t, t, c) for c in (own, away, target))
        found = guidance.guided(model, own, away, target, 2.0)(x_t, t)

    torch.testing.assert_close(at_own + 2 * (at_target - at_away), found)


@pytest.mark.parametrize("kind", FLOWS)
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_faithful_edit_of_a_flow_is_exact_at_any_number_of_steps(
    kind: Kind, steps: int, editor: Editor, adapter: Fitted
) -> None:
    """The input's way through the noise is a straight line, so that no step is too long for it."""
    # Without the input's own pixels, which would be put back.
    fitted, model = replace(adapter(kind), picture=b""), editor(kind).model

    edit = editor(kind).edit(fitted, alpha=0.0, settings=EditSettings(steps=steps))

    assert_same_pixels(model.decode(fitted.latents.float()) / 2 + 0.5, edit.image)


@pytest.mark.parametrize("scheduler", get_args(SchedulerName))
@pytest.mark.parametrize("direction", get_args(Direction))
@pytest.mark.parametrize("kind", ["sd1", "sd2-v", "flow"])
def test_a_faithful_edit_of_nothing_is_the_input(
    kind: Kind, direction: Direction, scheduler: SchedulerName, editor: Editor, adapter: Fitted
) -> None:
    """At alpha 0 and full fidelity, every sampler ends in the input, however short the fit."""
    fitted, model = adapter(kind), editor(kind).model
    x_0 = fitted.latents.float()
    settings = EditSettings(direction=direction, scheduler=scheduler, steps=6, seed=7)

    if kind == "flow" and scheduler in ("heun", "unipc"):
        with pytest.raises(SettingsError, match="follows a flow"):
            editor(kind).edit(fitted, settings=settings)
        return
    edit = editor(kind).edit(fitted, alpha=0.0, target="a cat on a mat", settings=settings)

    assert_same_pixels(model.decode(x_0) / 2 + 0.5, edit.image)


def test_fidelity_adds_the_known_error(editor: Editor) -> None:
    """On the input's own trail, a faithful reconstruction predicts what was mixed in."""
    model = editor("sd1").model
    own, x_0, e = model.encode_prompt("a dog"), noise(0), noise(1)
    way, t = trail.Trajectory(model.objective, x_0, lambda _: e), torch.tensor([500])
    plain = guidance.guided(model, own, own, own, 0.0)

    with torch.no_grad():
        half, full = (
            trail.faithful(plain, trail.missed(plain, way, [500], 2), share)(way.at(t), t)
            for share in (0.5, 1.0)
        )
        expected = (plain(way.at(t), t) + e) / 2

    torch.testing.assert_close(full, e)
    torch.testing.assert_close(half, expected)


@pytest.mark.parametrize(("together", "batches"), [(1, [1, 1, 1]), (2, [2, 1])])
def test_what_is_missed_at_neighbouring_times_is_found_in_one_batch(
    together: int, batches: list[int], editor: Editor
) -> None:
    """Each time is predicted once, whatever is asked for how often, and no sooner than it need be."""
    model, times = editor("sd1").model, [700, 500, 300]
    own = model.encode_prompt("a dog")
    way, seen = trail.Trajectory(model.objective, noise(0), lambda _: noise(1)), list[int]()

    def plain(x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        seen.append(len(x_t))
        return model.predict(x_t, t, own.repeat(len(x_t)))

    with torch.no_grad():
        missed = trail.missed(plain, way, times, together)
        for level in (700, 700, 500, 300, 500):
            t = torch.tensor([level])
            alone = way.prediction(t) - model.predict(way.at(t), t, own)
            torch.testing.assert_close(missed(t), alone)
            assert seen == batches[: len(seen)]
    assert batches == seen


@pytest.mark.parametrize("goal", [0, 1])
def test_a_renewed_noise_ends_where_predictions_lead(goal: int, editor: Editor) -> None:
    """In whatever noise a picture is predicted at each step, denoising ends in that picture."""
    model, start = editor("sd1").model, sampling.Start(noise(0), 1.0, (3,), pure=False)
    noises, objective = start.noises(), model.objective
    begun = trail.Trajectory(objective, noise(0), lambda _: start.noise())
    afresh = replace(begun, noise=trail.once(lambda _: next(noises)))

    predictor = trail.renewed(lambda x, t: objective.towards(x, noise(goal), t), begun, afresh)
    found = sampling.denoise(model, model.sampler("dpm++", 6, SHAPE), predictor, start, ignore)

    torch.testing.assert_close(found, noise(goal), rtol=0, atol=1e-4)


def noises_seen(
    model: Any, fitted: Adapter, settings: EditSettings, monkeypatch: pytest.MonkeyPatch
) -> torch.Tensor:
    """Return what lay over the input when an edit of nothing asked the model, a row for each time."""
    latents, predict = fitted.latents.float(), type(model).predict
    seen: dict[float, torch.Tensor] = {}

    def looked(self: Any, x_t: torch.Tensor, t: torch.Tensor, prompt: Any) -> Any:
        exact = self.objective.towards(x_t, latents, t)
        for level, row in zip(t.tolist(), self.objective.split(x_t, exact, t)[1], strict=True):
            seen.setdefault(level, row.flatten())
        return predict(self, x_t, t, prompt)

    monkeypatch.setattr(type(model), "predict", looked)
    ImagicEditor(model).edit(fitted, alpha=0.0, target="a cat", settings=settings)
    return torch.stack(list(seen.values()))


@pytest.mark.parametrize("kind", ["sd2-v", "flow"])
def test_no_two_steps_of_an_edit_see_the_input_in_one_noise(
    kind: Kind, editor: Editor, adapter: Fitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that what one noise suggests by chance is not followed through all of them."""
    settings = EditSettings(steps=6)

    seen = noises_seen(editor(kind).model, adapter(kind), settings, monkeypatch)

    assert (torch.corrcoef(seen) - torch.eye(6)).abs().max() < 0.2
    torch.testing.assert_close(seen.std(dim=1), torch.ones(6), rtol=0, atol=0.1)


def test_a_sampler_that_draws_noise_is_given_no_second_one(
    adapter: Fitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step sees the input in as much noise as its time has, whoever drew it."""
    settings = EditSettings(steps=6, scheduler="model")

    model = with_scheduler(EulerAncestralDiscreteScheduler)
    seen = noises_seen(model, adapter("sd1"), settings, monkeypatch)

    early = seen[:2]  # later a model that knows nothing has moved the picture itself
    torch.testing.assert_close(early.std(dim=1), torch.ones(2), rtol=0, atol=0.1)


def test_outside_a_mask_the_input_stays(editor: Editor) -> None:
    """Denoised with a mask, latents outside it are the input's, and others are not."""
    model = editor("sd1").model
    own, target = model.encode_prompt("a dog"), model.encode_prompt("a cat")
    start = sampling.Start(noise(0), 1.0, (3,), pure=False)
    way = trail.Trajectory(model.objective, noise(0), lambda _: start.noise())
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., :8] = 1
    predictor = trail.masked(guidance.guided(model, own, own, target, 4.0), way, lambda _: mask)

    sampler = model.sampler("dpm++", 6, SHAPE)
    found = sampling.denoise(model, sampler, predictor, start, ignore)

    torch.testing.assert_close(found[..., 8:], noise(0)[..., 8:], rtol=0, atol=1e-5)
    assert (found - noise(0))[..., :8].abs().amax(dim=(1, 2)).min() > 0.01


def test_what_a_mask_shuts_again_goes_back_to_the_input(editor: Editor) -> None:
    """Open at the first steps and shut at the last, a place ends as if it had never been open."""
    model = editor("sd1").model
    own, target = model.encode_prompt("a dog"), model.encode_prompt("a cat")
    start = sampling.Start(noise(0), 1.0, (3,), pure=False)
    way = trail.Trajectory(model.objective, noise(0), lambda _: start.noise())
    seen: list[torch.Tensor] = []

    def mask(edited: torch.Tensor) -> torch.Tensor:
        seen.append(edited)
        return torch.full((1, 1, 16, 16), float(len(seen) <= 3))

    predictor = trail.masked(guidance.guided(model, own, own, target, 4.0), way, mask)
    found = sampling.denoise(model, model.sampler("dpm++", 6, SHAPE), predictor, start, ignore)

    assert [SHAPE] * 6 == [tuple(each.shape) for each in seen]
    assert (seen[2] - noise(0)).abs().max() > 0.01
    torch.testing.assert_close(found, noise(0), rtol=0, atol=1e-5)


def test_what_only_the_caption_says_is_let_go_of_where_asked(editor: Editor) -> None:
    """The difference from shared to target is added, to shared where that is asked, else to own."""
    model, (x_t, t) = editor("sd1").model, (noise(0), torch.tensor([500]))
    own, shared, target = model.encode_prompt("a red cat", "a cat", "a dog").rows()
    left = torch.zeros(1, 1, 16, 16)
    left[..., :8] = 1

    with torch.no_grad():
        found = guidance.guided(model, own, shared, target, 2.0, lambda: left)(x_t, t)
        at_own, at_shared, at_target = (model.predict(x_t, t, p) for p in (own, shared, target))

    kept, gone = (start + 2 * (at_target - at_shared) for start in (at_own, at_shared))
    torch.testing.assert_close(gone[..., :8], found[..., :8])
    torch.testing.assert_close(kept[..., 8:], found[..., 8:])


@pytest.mark.parametrize("direction", ["guided", "interpolate"])
def test_alpha_is_continuous(direction: Direction, editor: Editor, adapter: Fitted) -> None:
    """A small change of alpha changes the picture little, everywhere from below 0 to above 1."""
    settings = EditSettings(direction=direction, steps=3)
    fitted = adapter("sd1")
    edits = editor("sd1").edits([EditRequest(adapter=fitted, target="a cat")], settings=settings)
    _, middle, _ = sampling.times(editor("sd1").model, settings, edits.start)
    x_t, t = noise(0), torch.tensor([middle])

    for alpha in (-0.5, -1e-3, 0.0, 0.5, 1.0, 1.5):
        with torch.no_grad():
            here, there = (edits.predictor([a])(x_t, t) for a in (alpha, alpha + 1e-3))
        assert (here - there).abs().max() < 0.02


def test_progress_counts_the_steps_that_are_run(editor: Editor, adapter: Fitted) -> None:
    """With a noised start, the steps reported are those that are really made."""
    seen: list[Progress] = []

    editor("sd1").edit(
        adapter("sd1"), settings=EditSettings(steps=10, structure_lock=0.5), on_progress=seen.append
    )

    sampled = [(p.step, p.steps) for p in seen if p.phase == "sample"]
    assert [(n, 5) for n in range(1, 6)] == sampled


@pytest.mark.parametrize("kind", FLOWS)
def test_a_structure_lock_is_a_noise_level_where_steps_are_shifted(
    kind: Kind, editor: Editor, adapter: Fitted
) -> None:
    """The first step of an edit of a flow lies at the level that is left in, however many there are."""
    seen: list[Progress] = []
    settings = EditSettings(steps=12, structure_lock=0.25)

    editor(kind).edit(adapter(kind), settings=settings, on_progress=seen.append)

    shape = (1, *adapter(kind).latents.shape[1:])
    times = editor(kind).model.sampler("dpm++", 12, shape).times
    assert int((times <= 0.75).sum()) == max(p.steps for p in seen if p.phase == "sample") < 9


def test_a_sampler_that_draws_noise_is_repeatable() -> None:
    """Noise drawn inside the loop comes from the seed, not from the global random state."""
    model = with_scheduler(EulerAncestralDiscreteScheduler)
    own = model.encode_prompt("a dog")
    start = sampling.Start(noise(0), 1.0, (3,))

    first, second = (
        sampling.denoise(
            model,
            model.sampler("model", 4, SHAPE),
            guidance.classifier_free(model, own, own, 1.0),
            start,
            ignore,
        )
        for _ in range(2)
    )

    assert torch.equal(first, second)


def test_img2img_equals_plain_diffusers(
    editor: Editor,
    folder: Callable[[Kind], Path],
    picture: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The baseline is the img2img that people know, with nothing of an adapter in it."""
    model = editor("sd1").model
    pipeline = ending_clean(StableDiffusionImg2ImgPipeline.from_pretrained(folder("sd1")))
    pipeline.set_progress_bar_config(disable=True)
    monkeypatch.setattr(
        "diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img.randn_tensor",
        lambda *_, **__: noise(7),
    )
    theirs = pipeline(
        image=model.encode_image(to_pixels(picture, (32, 32))),
        prompt="a cat",
        negative_prompt="a dog",
        guidance_scale=3.0,
        num_inference_steps=8,
        strength=0.6,
        output_type="pt",
    ).images
    settings = SamplingSettings(guidance=3, steps=8, negative="a dog", seed=7, scheduler="ddim")

    ours = editor("sd1").img2img(picture, "a cat", strength=0.6, settings=settings)

    assert_same_pixels(theirs, ours.image)


def test_a_picture_of_no_numbers_is_refused(editor: Editor) -> None:
    """A prediction that is not finite ends in one sentence, not in a black picture."""
    model = editor("sd1").model

    def broken(x_t: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        return x_t * torch.nan

    with pytest.raises(SamplingError, match=r"torch\.float32.*less guidance"):
        sampling.denoise(
            model,
            model.sampler("ddim", 2, SHAPE),
            broken,
            sampling.Start(noise(0), 1.0, (0,)),
            ignore,
        )
