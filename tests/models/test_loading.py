import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from diffusers.utils import logging
from PIL import Image
from safetensors.torch import load_file, save_file

from benchmarks.checkpoint import save_checkpoint
from imagic_lora import (
    Adapter,
    EditSettings,
    FitSettings,
    ImagicEditor,
    ImagicWarning,
    ModelError,
    SettingsError,
)
from imagic_lora.errors import heard_by
from imagic_lora.memory import MemoryPlan
from imagic_lora.models.loading import load_model
from imagic_lora.models.parts.samplers import make_scheduler
from imagic_lora.seeding import generator, randn
from imagic_lora.settings import SchedulerName
from tests.support.tiny import KINDS, UNETS, Kind, build

PLAN = MemoryPlan.automatic("cpu")
Folder = Callable[[Kind], Path]


@pytest.fixture
def broken(folder: Folder, tmp_path: Path) -> Path:
    """Give a copy of a good pipeline folder, to be damaged."""
    return Path(shutil.copytree(folder("sd1"), tmp_path / "broken"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_is_fitted_and_edited(
    kind: Kind, folder: Folder, picture: Image.Image, tmp_path: Path
) -> None:
    """Each family goes from a folder on disk to an adapter and an edited picture."""
    editor = ImagicEditor.from_pretrained(folder(kind))

    adapter = editor.fit(picture, target="a cat", settings=FitSettings(steps=2, rank=2))
    adapter.save(tmp_path / "a.safetensors")
    edit = editor.edit(
        type(adapter).load(tmp_path / "a.safetensors"), settings=EditSettings(steps=2)
    )

    assert (32, 32) == edit.image.size
    assert len(adapter.record.losses) == 2


@pytest.mark.parametrize("kind", UNETS)
def test_prompts_are_encoded_as_diffusers_does(
    kind: Kind, editor: Callable[[Kind], ImagicEditor]
) -> None:
    """For each family, a prompt's conditioning equals the plain pipeline's."""
    pipeline = build(kind)
    encoded = pipeline.encode_prompt(
        "a cat", device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=True
    )

    ours = editor(kind).model.encode_prompt("a cat")
    empty = editor(kind).model.encode_prompt("")

    torch.testing.assert_close(encoded[0], ours.tokens)
    torch.testing.assert_close(encoded[1], empty.tokens)
    if kind == "sdxl":
        torch.testing.assert_close(encoded[2], ours.pooled)
        torch.testing.assert_close(encoded[3], empty.pooled)


@pytest.mark.parametrize("kind", KINDS)
def test_several_prompts_take_the_text_encoder_once(
    kind: Kind, editor: Callable[[Kind], ImagicEditor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row is what its prompt gives alone, and the encoder comes to the device only once."""
    model, prompts = editor(kind).model, ("a cat", "", "a dog in the snow")
    alone = [model.encode_prompt(prompt) for prompt in prompts]
    moved: list[torch.device] = []
    encoder = model.networks.encoders[-1]
    monkeypatch.setattr(encoder, "to", moved.append)

    together = model.encode_prompt(*prompts)

    assert [True] * 3 == [one.equal(row) for one, row in zip(alone, together.rows(), strict=True)]
    assert [PLAN.device] == moved


@pytest.mark.parametrize("kind", KINDS)
def test_the_family_and_its_widths_are_read_from_the_folder(kind: Kind, folder: Folder) -> None:
    """Family, sizes and prediction type come from the model's own configuration."""
    model = load_model(folder(kind), PLAN)

    families = {"flow": "tiny-flow", "sd1": "sd", "sd2": "sd", "sd2-v": "sd"}
    assert families.get(kind, kind) == model.traits.family
    widths = {"sd1": 32, "sd2": 48, "sd2-v": 48, "sdxl": 56, "flow": 24, "flux2": 96}
    assert widths.get(kind, 32) == model.traits.token_width
    assert {"sdxl": 40, "sd3": 28}.get(kind) == model.traits.pooled_width
    multiple, rate = (8, 20) if kind in UNETS else (4, 10 if kind == "flow" else 320 / 192 * 6**0.5)
    assert (32, multiple) == (model.traits.native_size, model.traits.multiple)
    assert rate == pytest.approx(model.traits.rate)
    channels = 4 if kind in (*UNETS, "flux2") else 16
    assert (channels, 2) == (model.traits.latent_channels, model.traits.latent_factor)
    predictions = {"sd1": "epsilon", "sd2": "epsilon", "sd2-v": "v_prediction", "sdxl": "epsilon"}
    assert predictions.get(kind, "flow") == model.objective.name
    assert f"tiny-{kind}" == model.traits.name


def test_everything_is_frozen(folder: Folder) -> None:
    """No parameter of a loaded model takes gradients."""
    model = load_model(folder("sd1"), PLAN)

    assert not any(parameter.requires_grad for parameter in model.denoiser.parameters())


def test_half_precision_files_load(tmp_path: Path, folder: Folder) -> None:
    """A folder whose weights are the fp16 variant loads, and is known as the same checkpoint."""
    build("sd1").to(torch.float16).save_pretrained(tmp_path, variant="fp16")

    model = load_model(tmp_path, PLAN)

    assert torch.float32 == next(model.denoiser.parameters()).dtype
    assert load_model(folder("sd1"), PLAN).traits.fingerprint == model.traits.fingerprint


def test_checkpoints_have_fingerprints_of_their_own(tmp_path: Path, folder: Folder) -> None:
    """Other weights of the same shape have another fingerprint."""
    build("sd1", seed=1).save_pretrained(tmp_path)

    other = load_model(tmp_path, PLAN).traits.fingerprint

    assert other != load_model(folder("sd1"), PLAN).traits.fingerprint


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_precision_of_a_load_is_no_other_checkpoint(dtype: torch.dtype, folder: Folder) -> None:
    """A model is the same one on a GPU, which takes half precision, and on a CPU."""
    exact, half = (
        load_model(folder("sd1"), replace(PLAN, dtype=d)) for d in (torch.float32, dtype)
    )

    assert exact.traits.fingerprint == half.traits.fingerprint


@pytest.mark.parametrize("layers", ["attn2", "ff.net"])
def test_a_merged_lora_makes_another_checkpoint(
    layers: str, tmp_path: Path, folder: Folder
) -> None:
    """A few percent of change in one kind of layer alone is noticed."""
    pipeline = build("sd1")
    for name, weight in pipeline.unet.named_parameters():
        if layers in name and weight.dim() == 2:
            down, up = (randn((4, side), generator(0, name)) for side in weight.shape[::-1])
            weight.data += 0.02 * weight.std() * up.T @ down
    pipeline.save_pretrained(tmp_path)

    merged = load_model(tmp_path, PLAN).traits.fingerprint

    assert merged != load_model(folder("sd1"), PLAN).traits.fingerprint


def test_an_adapter_of_a_former_version_knows_its_checkpoint(
    editor: Callable[[Kind], ImagicEditor], adapter: Callable[[Kind], Adapter]
) -> None:
    """The fingerprint was the last layer's hash; it still counts, so there is no false warning."""
    last = editor("sd1").model.denoiser.get_parameter("conv_out.weight").detach().half()
    former = hashlib.sha256(last.numpy().tobytes()).hexdigest()[:16]
    record = replace(adapter("sd1").record, fingerprint=former)

    editor("sd1").check(replace(adapter("sd1"), record=record))  # warnings are errors


@pytest.mark.parametrize(
    "name",
    [
        "PNDMScheduler",
        "EulerDiscreteScheduler",
        "DPMSolverMultistepScheduler",
        "EulerAncestralDiscreteScheduler",
    ],
)
def test_any_scheduler_in_the_folder_loads(name: str, broken: Path, picture: Image.Image) -> None:
    """A folder with another scheduler loads, fits, and edits with its own scheduler."""
    scheduler = getattr(diffusers, name)(beta_schedule="scaled_linear", steps_offset=1)
    shutil.rmtree(broken / "scheduler")
    scheduler.save_pretrained(broken / "scheduler")
    index = json.loads((broken / "model_index.json").read_text())
    index["scheduler"] = ["diffusers", name]
    (broken / "model_index.json").write_text(json.dumps(index))
    editor = ImagicEditor.from_pretrained(broken)

    adapter = editor.fit(picture, source="a", target="a cat", settings=FitSettings(steps=1, rank=1))
    edit = editor.edit(adapter, settings=EditSettings(steps=4, scheduler="model"))

    assert (32, 32) == edit.image.size


@pytest.mark.parametrize("name", ["ddim", "dpm++", "euler", "heun", "unipc", "model"])
def test_every_named_scheduler_can_be_made(name: SchedulerName) -> None:
    """Each name of the settings gives a scheduler over the model's own noise schedule."""
    own = build("sd2-v").scheduler

    made = make_scheduler(name, own, 30)

    torch.testing.assert_close(own.alphas_cumprod, made.alphas_cumprod)
    assert made.config.prediction_type == "v_prediction"


def test_a_single_file_is_the_same_model_as_its_folder(
    tmp_path: Path, folder: Folder, editor: Callable[[Kind], ImagicEditor]
) -> None:
    """A .safetensors checkpoint, with a folder's configuration, predicts what the folder does."""
    save_checkpoint(build("sd1"), tmp_path / "one.safetensors")

    model = load_model(tmp_path / "one.safetensors", PLAN, config=folder("sd1"))

    expected = editor("sd1").model
    x_t, t = torch.randn(1, 4, 16, 16), torch.tensor([500])
    conditioning = expected.encode_prompt("a cat")
    assert conditioning.equal(model.encode_prompt("a cat"))
    with torch.no_grad():
        torch.testing.assert_close(
            expected.predict(x_t, t, conditioning), model.predict(x_t, t, conditioning)
        )
    torch.testing.assert_close(expected.decode(x_t), model.decode(x_t))
    assert "one.safetensors" == model.traits.name


@pytest.mark.parametrize(
    ("kind", "said"), [("sdxl", "for a StableDiffusionXLPipeline"), (None, "no readable model_ind")]
)
def test_a_configuration_of_another_kind_is_refused(
    kind: Kind | None, said: str, tmp_path: Path, folder: Folder
) -> None:
    """The folder that lends its configuration is checked before a weight is read."""
    save_checkpoint(build("sd1"), tmp_path / "one.safetensors")

    with pytest.raises(ModelError, match=said):
        load_model(tmp_path / "one.safetensors", PLAN, config=folder(kind) if kind else tmp_path)


def test_a_single_file_without_configuration_says_what_it_needs(tmp_path: Path) -> None:
    """Offline, a checkpoint file alone is refused with the remedy."""
    save_checkpoint(build("sd1"), tmp_path / "one.safetensors")

    with pytest.raises(ModelError, match="config"):
        load_model(tmp_path / "one.safetensors", PLAN)


def test_an_overlong_prompt_says_what_is_lost(editor: Callable[[Kind], ImagicEditor]) -> None:
    """The warning gives the lengths and quotes the part that the model does not see."""
    with pytest.warns(ImagicWarning, match=r"has 96 tokens.*reads 88.*'xyxyxyxy'"):
        editor("sd1").model.encode_prompt("ab" * 44 + "xy" * 4)


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("a (cat:1.3)", r"'\(cat:1\.3\)', which is a weight"),
        ("a ((cat))", "which is a weight"),
        ("(cat)++", "which is a weight"),
        ("x BREAK y", "a break"),
        ("<lora:x:0.8> y", "'<lora:x:0.8>', which is a LoRA to load"),
        ("embedding:bad", "a learned word"),
        ("a <cat-toy>", "a learned word"),
        ("[a:b:0.5]", "a change on the way"),
        ("{a|b}", "a choice"),
    ],
)
def test_the_syntax_of_other_tools_is_noted_once(prompt: str, said: str, folder: Folder) -> None:
    """It is read as plain text, and whoever wrote it is told."""
    model, noted = load_model(folder("sdxl"), PLAN), list[str]()

    with heard_by(noted.append):
        model.encode_prompt(prompt, prompt)
        model.encode_prompt(prompt)

    assert 1 == len(noted)
    assert re.search(f"{said}.* to other tools, and plain text here", noted[0])


@pytest.mark.parametrize("prompt", ["a girl (with a hat)", "C++, 1:2", "it is 10:30", "A-B [x]"])
def test_plain_text_is_not_noted(prompt: str, editor: Callable[[Kind], ImagicEditor]) -> None:
    """Brackets and colons are what people write, too; warnings are errors here."""
    editor("sd1").model.encode_prompt(prompt)


def last_but_one(kind: Kind) -> torch.Tensor:
    """Return what the pipeline makes of "a cat" with the last layer of each encoder left out."""
    pipeline = build(kind)
    if kind == "sdxl":
        theirs: torch.Tensor = pipeline.encode_prompt(
            "a cat", device="cpu", do_classifier_free_guidance=False, clip_skip=1
        )[0]
        return theirs
    # diffusers' own clip skip looks for a module that transformers no longer has
    encoder, tokenizer = pipeline.text_encoder, pipeline.tokenizer
    ids = tokenizer("a cat", padding="max_length", return_tensors="pt").input_ids
    states = encoder(ids, output_hidden_states=True).hidden_states
    found: torch.Tensor = getattr(encoder, "text_model", encoder).final_layer_norm(states[-2])
    return found


@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_layers_of_the_text_encoder_can_be_left_out(kind: Kind, folder: Folder) -> None:
    """With clip skip, prompts mean what diffusers makes of them, and the checkpoint is another."""
    plain, skipping = load_model(folder(kind), PLAN), load_model(folder(kind), PLAN, clip_skip=1)

    torch.testing.assert_close(last_but_one(kind), skipping.encode_prompt("a cat").tokens)
    assert not set(plain.traits.fingerprints) & set(skipping.traits.fingerprints)


@pytest.mark.parametrize("count", [-1, 3, 12])
def test_there_must_be_layers_to_leave_out(count: int, folder: Folder) -> None:
    """At least one layer is left."""
    with pytest.raises(SettingsError, match="clip_skip"):
        load_model(folder("sd1"), PLAN, clip_skip=count)


@pytest.mark.parametrize(
    ("tensors", "header", "expected"),
    [
        ((), {}, ("epsilon", False)),
        (("v_pred",), {}, ("v_prediction", False)),
        (("v_pred", "ztsnr"), {}, ("v_prediction", True)),
        ((), {"modelspec.prediction_type": "v"}, ("v_prediction", False)),
        ((), {"modelspec.prediction_type": "epsilon"}, ("epsilon", False)),
    ],
)
def test_what_a_single_file_says_of_its_schedule_is_obeyed(
    tensors: tuple[str, ...],
    header: dict[str, str],
    expected: tuple[str, bool],
    tmp_path: Path,
    folder: Folder,
) -> None:
    """Marks of v-prediction and of a schedule that ends in noise alone outweigh the folder's."""
    save_checkpoint(build("sd1"), tmp_path / "one.safetensors")
    weights = load_file(tmp_path / "one.safetensors")
    marks = {name: torch.tensor([]) for name in tensors}
    save_file({**weights, **marks}, tmp_path / "marked.safetensors", header)

    model = load_model(tmp_path / "marked.safetensors", PLAN, config=folder("sd1"))

    left = model.objective.add_noise(torch.ones(1), torch.zeros(1), torch.tensor([999]))
    assert expected == (model.objective.name, left.item() < 1e-3)


@pytest.mark.parametrize(
    ("part", "found"),
    [
        ("scheduler", ["evil", "Evil"]),
        ("scheduler", ["evil", "DDIMScheduler"]),
        ("tokenizer", ["transformers", "AutoTokenizer"]),
        ("helper", ["evil", "Evil"]),
        ("safety_checker", ["evil", "Evil"]),
        ("scheduler", ["diffusers", "EDMEulerScheduler"]),
        ("scheduler", ["diffusers", "FlowMatchEulerDiscreteScheduler"]),
    ],
)
def test_a_part_of_an_unknown_class_is_refused(part: str, found: list[str], broken: Path) -> None:
    """Nothing but the classes that are known is ever made, so no code of a folder can run."""
    index = json.loads((broken / "model_index.json").read_text())
    (broken / "model_index.json").write_text(json.dumps({**index, part: found}))
    (broken / part).mkdir(exist_ok=True)
    (broken / part / "evil.py").write_text("raise SystemExit('ran')")

    with pytest.raises(ModelError, match=f"part '{part}' of the class '{'.'.join(found)}'; supp"):
        load_model(broken, PLAN)


def test_a_folder_with_code_is_refused(broken: Path) -> None:
    """Even where nothing would run it: nobody has to trust another package for that."""
    (broken / "scheduler" / "evil.py").write_text("raise SystemExit('ran')")

    with pytest.raises(ModelError, match=r"brings code of its own \('evil\.py'\)"):
        load_model(broken, PLAN)


@pytest.mark.parametrize(
    ("name", "said"),
    [("model_index.json", "no readable model_index"), ("unet/config.json", "a pipe or a device")],
)
def test_a_folder_with_a_pipe_is_refused(name: str, said: str, broken: Path) -> None:
    """Who reads one waits for ever."""
    (broken / name).unlink()
    os.mkfifo(broken / name)

    with pytest.raises(ModelError, match=said):
        load_model(broken, PLAN)


@pytest.mark.parametrize("channels", [8, 9])
def test_a_unet_for_inpainting_is_refused(channels: int, tmp_path: Path) -> None:
    """A UNet that takes more than latents is named when it is loaded, not when it is run."""
    pipeline = build("sd1")
    config = {k: v for k, v in pipeline.unet.config.items() if not k.startswith("_")}
    pipeline.unet = type(pipeline.unet)(**{**config, "in_channels": channels})
    pipeline.save_pretrained(tmp_path)

    with pytest.raises(
        ModelError, match=rf"takes {channels} channels.*made for (inpainting|editing by instr)"
    ):
        load_model(tmp_path, PLAN)


def test_a_tokenizer_that_states_no_length_takes_the_encoders(
    broken: Path, editor: Callable[[Kind], ImagicEditor]
) -> None:
    """Without model_max_length, prompts are as long as the text encoder reads."""
    config = broken / "tokenizer" / "tokenizer_config.json"
    stated = json.loads(config.read_text())
    del stated["model_max_length"]
    config.write_text(json.dumps(stated))

    found = load_model(broken, PLAN).encode_prompt("a cat")

    assert editor("sd1").model.encode_prompt("a cat").equal(found)


def damage(path: Path, how: str) -> None:
    """Damage a pipeline folder in a named way."""
    if how == "no index":
        (path / "model_index.json").unlink()
    elif how == "index is no JSON":
        (path / "model_index.json").write_text("{")
    elif how == "index is a list":
        (path / "model_index.json").write_text("[]")
    elif how == "another pipeline":
        (path / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    elif how in {"unet", "vae", "text_encoder", "tokenizer", "scheduler"}:
        shutil.rmtree(path / how)
    elif how == "pickled weights":
        weights = next((path / "unet").glob("*.safetensors"))
        weights.rename(weights.with_suffix(".bin"))
    elif how == "truncated weights":
        weights = next((path / "unet").glob("*.safetensors"))
        weights.write_bytes(weights.read_bytes()[:1000])
    elif how == "configuration of another size":
        config = json.loads((path / "unet" / "config.json").read_text())
        config["block_out_channels"] = [32, 32]
        (path / "unet" / "config.json").write_text(json.dumps(config))


DAMAGE = {
    "no index": "model_index.json",
    "index is no JSON": "model_index.json",
    "index is a list": "model_index.json",
    "another pipeline": "FluxPipeline; supported are StableDiffusionPipeline",
    "unet": "lacks unet",
    "vae": "lacks vae",
    "text_encoder": "lacks text_encoder",
    "tokenizer": "lacks tokenizer",
    "scheduler": "lacks scheduler",
    "pickled weights": "pickles are never loaded",
    "truncated weights": "cannot be read",
    "configuration of another size": "cannot be read",
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_folder_is_named(how: str, broken: Path) -> None:
    """Whatever is wrong with a folder, one ModelError says what."""
    damage(broken, how)

    with pytest.raises(ModelError, match=DAMAGE[how]):
        load_model(broken, PLAN)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("no/such-model", "the local cache does not serve"),
        ("not a model", "neither a folder nor a file"),
        ("dmeo", "Did you mean 'demo'"),
    ],
)
def test_a_source_that_is_not_there_is_named(source: str, words: str) -> None:
    """A name that leads nowhere is refused, with the reason."""
    with pytest.raises(ModelError, match=words):
        load_model(source, PLAN)


@pytest.mark.parametrize("content", [b"", b"\x80\x04", b"not a checkpoint" * 100])
def test_a_file_that_is_no_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    """A file that is not safetensors is never given to a loader that could run it."""
    path = tmp_path / "model.ckpt"
    path.write_bytes(content)

    with pytest.raises(ModelError, match="can run code"):
        load_model(path, PLAN)


def test_a_loader_prints_nothing(folder: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    """Loading a model writes nothing to the terminal."""
    path = folder("sdxl")
    capfd.readouterr()  # what writing the folder says, where no test before has

    load_model(path, PLAN)

    assert ("", "") == tuple(capfd.readouterr())


def test_verbosity_is_put_back(folder: Folder) -> None:
    """The loaders' verbosity and progress bars are as before, whatever they were."""
    logging.disable_progress_bar()
    before = logging.get_verbosity()
    try:
        load_model(folder("sd1"), PLAN)
        after: Any = (logging.get_verbosity(), logging.is_progress_bar_enabled())
    finally:
        logging.enable_progress_bar()

    assert (before, False) == after
