"""What the families whose transformer follows a flow share with their plain pipelines."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu
from PIL import Image

from imagic_lora import Adapter, DeviceError, EditSettings, FitSettings, ImagicEditor
from imagic_lora.editing import guidance, sampling
from imagic_lora.editing.slots import Slots
from imagic_lora.memory import MemoryPlan
from imagic_lora.models.base import LatentModel
from imagic_lora.models.flux2 import empirical_mu
from imagic_lora.models.loading import load_model
from imagic_lora.progress import ignore
from imagic_lora.seeding import generator, randn
from tests.support.tiny import FLOWS, Kind, build
from tests.support.transformers import velocity

Editor = Callable[[Kind], ImagicEditor]
EACH = pytest.mark.parametrize("kind", FLOWS)
KLEIN = {"max_sequence_length": 40, "text_encoder_out_layers": (1, 2, 3)}
"""What the plain pipeline has to be told of a tiny language model."""


def latents_of(model: LatentModel) -> torch.Tensor:
    """Return noise of the shape of a model's latents."""
    return randn((1, model.traits.latent_channels, 16, 16), generator(0, "latents"))


def plainly(kind: Kind, noise: torch.Tensor, prompt: str, weight: float, steps: int) -> Any:
    """Return what the plain pipeline makes of noise, in [0, 1]."""
    pipeline = build(kind)
    told: dict[str, Any] = {}
    if kind == "flux2":
        noise, told = torch.nn.functional.pixel_unshuffle(noise, 2), KLEIN
    if kind == "zimage":
        weight -= 1  # which it counts from the bare prediction
        told = {"max_sequence_length": 40}
    if kind == "sd3":
        # By itself it shifts the last times twice.
        told = {"sigmas": np.linspace(1, 1 / steps, steps).tolist(), "max_sequence_length": 32}
    pipeline.set_progress_bar_config(disable=True)
    return pipeline(
        prompt=prompt,
        height=32,
        width=32,
        latents=noise,
        guidance_scale=weight,
        num_inference_steps=steps,
        output_type="pt",
        **told,
    ).images


@EACH
@pytest.mark.parametrize(("weight", "steps"), [(4.0, 3), (1.0, 1)])
def test_a_picture_of_a_prompt_is_the_plain_pipelines(
    kind: Kind, weight: float, steps: int, editor: Editor
) -> None:
    """Prompt, times, guidance, prediction and decoding are what diffusers' own pipeline does."""
    model = editor(kind).model
    start = sampling.Start(torch.zeros_like(latents_of(model)), 1.0, (3,))
    away, towards = model.encode_prompt("", "a cat").rows()
    predictor = guidance.classifier_free(model, away, towards, weight)
    sampler = model.sampler("model", steps, tuple(start.latents.shape))

    ours = model.decode(sampling.denoise(model, sampler, predictor, start, ignore))
    expected = plainly(kind, start.noise(), "a cat", weight, steps)

    torch.testing.assert_close(expected, ours / 2 + 0.5, rtol=1e-3, atol=1e-3)


@EACH
@pytest.mark.parametrize("steps", [4, 28, 50])
def test_times_are_shifted_as_the_plain_pipelines_are(
    kind: Kind, steps: int, editor: Editor
) -> None:
    """They run from noise evenly, shifted as the scheduler says, for klein by canvas and steps."""
    model, scheduler = editor(kind).model, build(kind).scheduler
    sigmas = np.linspace(1, 1 / steps, steps)
    scheduler.set_timesteps(sigmas=sigmas, mu=compute_empirical_mu(64, steps))

    found = model.sampler("model", steps, tuple(latents_of(model).shape)).times

    torch.testing.assert_close(scheduler.sigmas[:-1], found)


@pytest.mark.parametrize("patches", [64, 1024, 4096, 4300, 9216])
@pytest.mark.parametrize("steps", [4, 28, 50])
def test_the_shift_of_klein_is_its_authors(patches: int, steps: int) -> None:
    """It depends on the tokens of the picture, and up to a size on the steps."""
    assert compute_empirical_mu(patches, steps) == pytest.approx(empirical_mu(patches, steps))


def test_the_batch_norm_of_kleins_autoencoder_is_undone(editor: Editor) -> None:
    """Latents are normalised by its statistics, patch by patch, and decoded from them."""
    pipeline, model = build("flux2"), editor("flux2").model
    pixels = randn((1, 3, 32, 32), generator(0, "pixels")).clamp(-1, 1)

    latents = model.encode_image(pixels)

    expected = pipeline._unpatchify_latents(pipeline._encode_vae_image(pixels, None))
    raw = pipeline.vae.encode(pixels).latent_dist.mode()
    torch.testing.assert_close(expected, latents)
    torch.testing.assert_close(pipeline.vae.decode(raw).sample.clamp(-1, 1), model.decode(latents))


@EACH
def test_only_what_is_read_of_a_language_model_is_kept(kind: Kind, editor: Editor) -> None:
    """Layers above those that are read, and what would predict words, take no memory."""
    encoder: Any = editor(kind).model.networks.encoders[-1]

    if kind != "sd3":
        assert 3 == len(encoder.layers)
        assert not any("lm_head" in name for name, _ in encoder.named_parameters())


@EACH
def test_what_a_prompt_is_cut_by_is_said_once(
    kind: Kind, editor: Editor, recwarn: pytest.WarningsRecorder
) -> None:
    """However many encoders read it, one sentence quotes what none of them sees."""
    editor(kind).model.encode_prompt("a cat on a mat in the garden of my neighbour")

    (warning,) = recwarn
    assert "bour'" in str(warning.message)


@pytest.fixture
def own(folder: Callable[[Kind], Path], request: pytest.FixtureRequest) -> LatentModel:
    """Give a model that no other test sees."""
    return load_model(folder(request.param), MemoryPlan.automatic("cpu"))


@pytest.mark.parametrize("own", FLOWS, indirect=True)
def test_levers_that_round_nothing_change_nothing(own: LatentModel, picture: Image.Image) -> None:
    """Checkpointed and streamed, a fit goes the same way, and an edit gives the same picture."""
    editor, settings = ImagicEditor(own), FitSettings(steps=2, rank=2, batch=2)
    plain = editor.fit(picture, source="a dog", target="a cat", settings=settings)
    before = editor.edit(plain, settings=EditSettings(steps=2))

    own.replan(
        dataclasses.replace(
            own.plan, checkpointing=True, streaming=True, stream_text=True, micro_batch=1
        )
    )
    tight = editor.fit(picture, source="a dog", target="a cat", settings=settings)
    after = editor.edit(plain, settings=EditSettings(steps=2))

    first, second = zip(plain.record.losses, tight.record.losses, strict=True)
    assert first[0] == pytest.approx(first[1], rel=1e-4)
    # Adam's first step goes by signs, which rounding turns where a gradient is all but zero.
    assert second[0] == pytest.approx(second[1], rel=0.05)
    # A checkpoint that gradients do not pass would leave zeros; in the last block of Stable
    # Diffusion 3 nothing asks for what the prompt looks at.
    still = [name for name, tensor in tight.lora.items() if "_B" in name and not tensor.any()]
    assert all(name.endswith("blocks.1.attn.add_q_proj.lora_B.weight") for name in still)
    difference = np.abs(np.asarray(before.image, int) - np.asarray(after.image, int))
    assert difference.max() <= 2


@pytest.mark.parametrize("own", FLOWS, indirect=True)
def test_eight_bits_leave_what_is_small_alone(own: LatentModel, picture: Image.Image) -> None:
    """Layers that lead in and out and those that read the time are not rounded; the fit works."""
    own.replan(dataclasses.replace(own.plan, eight_bit=True))

    layers = dict(own.denoiser.named_modules())
    rounded = {name for name, layer in layers.items() if "codes" in layer._buffers}
    inside = [
        name for name in rounded if "blocks." in name or "layers." in name or "_refiner." in name
    ]
    assert rounded == set(inside)
    adapter = ImagicEditor(own).fit(picture, source="a dog", settings=FitSettings(steps=1))
    assert adapter.record.gap is not None


@pytest.mark.parametrize("shape", [(16, 16), (24, 8), (48, 48)])
def test_the_table_of_positions_is_not_on_the_device(
    shape: tuple[int, int], editor: Editor
) -> None:
    """Every canvas gets its crop of the whole table, as in the plain pipeline, and no more."""
    model, plain = editor("sd3").model, build("sd3").transformer
    prompt = model.encode_prompt("a cat")
    x_t, t = randn((1, 16, *shape), generator(0, "latents")), torch.tensor([0.5])

    with torch.no_grad():
        theirs = velocity(plain, x_t, t, prompt.tokens, prompt.pooled)
        ours = model.predict(x_t, t, prompt)
        assert torch.equal(plain.pos_embed(x_t), model.denoiser.get_submodule("pos_embed")(x_t))

    torch.testing.assert_close(theirs, ours)
    assert plain.state_dict().keys() == model.denoiser.state_dict().keys()
    assert not any("pos_embed" in name for name, _ in model.denoiser.named_buffers())


@EACH
def test_half_precision_is_refused(kind: Kind, folder: Callable[[Kind], Path]) -> None:
    """float16 overflows these models, which is said before a weight is read."""
    plan = MemoryPlan(torch.device("cpu"), torch.float16)

    with pytest.raises(DeviceError, match=r"float16.*bfloat16"):
        load_model(folder(kind), plan)


@EACH
def test_a_long_prompt_beside_a_short_one_changes_nothing(kind: Kind, editor: Editor) -> None:
    """Each row of a batch is predicted as it is alone."""
    model = editor(kind).model
    x_t, t = latents_of(model), torch.tensor([0.5])
    both = model.encode_prompt("a", "a cat on a mat, in the snow")

    with torch.no_grad():
        alone = model.predict(x_t, t, model.encode_prompt("a"))
        beside = model.predict(x_t.repeat(2, 1, 1, 1), t.repeat(2), both)[:1]

    torch.testing.assert_close(alone, beside)


@EACH
def test_an_adapter_file_is_loaded_by_the_plain_pipeline(
    kind: Kind, adapter: Callable[[Kind], Adapter], editor: Editor, tmp_path: Path
) -> None:
    """`load_lora_weights` reads the file as it is, and its transformer predicts what ours does."""
    fitted, model, whole = adapter(kind), editor(kind).model, build(kind)
    fitted.save(tmp_path / "a.safetensors")
    prompt = model.encode_prompt("a cat")
    given = (latents_of(model), torch.tensor([0.5]), prompt.tokens, prompt.pooled)

    with torch.no_grad():
        plain = velocity(whole.transformer, *given)
        whole.load_lora_weights(tmp_path, weight_name="a.safetensors", adapter_name="fitted")
        theirs = velocity(whole.transformer, *given)
        with Slots(model.denoiser).holding([fitted.lora], torch.device("cpu")):
            ours = velocity(model.denoiser, *given)

    torch.testing.assert_close(theirs, ours)
    assert not torch.allclose(plain, theirs)
