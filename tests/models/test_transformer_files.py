"""Transformers in one file, in the layouts of their makers, as people share them for other tools."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from benchmarks.checkpoint import vae_namer
from imagic_lora import ModelError
from imagic_lora.errors import heard_by
from imagic_lora.memory import MemoryPlan
from imagic_lora.models.base import LatentModel
from imagic_lora.models.blueprint import find_blueprint
from imagic_lora.models.loading import load_model
from tests.support.layouts import Tensors, as_published, scaled, with_text_encoders
from tests.support.tiny import Kind, build

Folder = Callable[[Kind], Path]
PLAN = MemoryPlan.automatic("cpu")
PREFIX = "model.diffusion_model."
KINDS: tuple[Kind, ...] = ("sd3", "flux2", "zimage")


def written(path: Path, kind: Kind, prefix: str = PREFIX) -> Tensors:
    """Write a transformer of other weights than the folder's in one file, and return them."""
    transformer = build(kind, seed=1).transformer
    published = as_published(kind, transformer)
    save_file({prefix + name: each for name, each in published.items()}, path)
    return dict(transformer.state_dict())


def read(path: Path, config: Path) -> tuple[LatentModel, list[str]]:
    """Return the model of a file and what is said of it."""
    said = list[str]()
    with heard_by(said.append):
        return load_model(path, PLAN, config=config), said


def equal(wanted: Tensors, found: Tensors) -> bool:
    """Return whether two networks have the same weights."""
    same = (torch.equal(each, found[name].float()) for name, each in wanted.items())
    return wanted.keys() == found.keys() and all(same)


@pytest.mark.parametrize("prefix", ["", PREFIX], ids=["bare", "prefixed"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_transformer_in_one_file_is_read(
    kind: Kind, prefix: str, folder: Folder, tmp_path: Path
) -> None:
    """Its weights are those of the file, the rest is lent by the folder, and that is said."""
    wanted = written(tmp_path / "x.safetensors", kind, prefix)

    model, said = read(tmp_path / "x.safetensors", folder(kind))

    assert equal(wanted, dict(model.denoiser.state_dict()))
    assert f"'x.safetensors' has no weights of vae, text_encoder{', ' * (kind == 'sd3')}" in said[0]


def test_an_autoencoder_in_the_file_is_its_own(folder: Folder, tmp_path: Path) -> None:
    """Stable Diffusion 3.5 is published with its autoencoder."""
    pipeline, path = build("sd3", seed=1), tmp_path / "x.safetensors"
    weights = as_published("sd3", pipeline.transformer)
    autoencoder, name = pipeline.vae.state_dict(), vae_namer(pipeline.vae)
    save_file(
        {PREFIX + key: each for key, each in weights.items()}
        | {f"first_stage_model.{name(key)}": each for key, each in autoencoder.items()},
        path,
    )

    with heard_by(lambda _: None):
        model = load_model(path, PLAN, config=folder("sd3"))

    assert equal(autoencoder, dict(model.networks.autoencoder.state_dict()))


@pytest.fixture
def weightless(folder: Folder, tmp_path: Path) -> Path:
    """Give a folder with configurations and tokenizers, and no weights."""
    path = Path(shutil.copytree(folder("sd3"), tmp_path / "weightless"))
    for file in path.rglob("*.safetensors"):
        file.unlink()
    return path


def encoded(pipeline: Any, *, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what the plain pipeline makes of a prompt."""
    with torch.no_grad():
        tokens, _, pooled, _ = pipeline.encode_prompt(
            "a cat",
            None,
            None,
            device="cpu",
            do_classifier_free_guidance=False,
            max_sequence_length=length,
        )
    return tokens, pooled


def test_a_file_with_all_text_encoders_needs_no_other_weights(
    weightless: Path, tmp_path: Path
) -> None:
    """Configurations and tokenizers are lent, and nothing has to be said."""
    pipeline, path = build("sd3", seed=1), tmp_path / "x.safetensors"
    save_file(with_text_encoders(pipeline, long=True), path)

    model, said = read(path, weightless)

    assert not said
    assert equal(dict(pipeline.transformer.state_dict()), dict(model.denoiser.state_dict()))
    tokens, pooled = encoded(pipeline, length=32)
    found = model.encode_prompt("a cat")
    torch.testing.assert_close(tokens, found.tokens)
    torch.testing.assert_close(pooled, found.pooled)


def test_a_file_with_clips_alone_is_used_without_t5(weightless: Path, tmp_path: Path) -> None:
    """One sentence says so; what the folder lacks is not asked for."""
    pipeline, path = build("sd3", seed=1), tmp_path / "x.safetensors"
    save_file(with_text_encoders(pipeline, long=False), path)
    pipeline.register_modules(text_encoder_3=None, tokenizer_3=None)

    model, said = read(path, weightless)

    (sentence,) = said
    assert "no weights of text_encoder_3 and is used without" in sentence
    tokens, pooled = encoded(pipeline, length=256)
    found = model.encode_prompt("a cat")
    torch.testing.assert_close(tokens, found.tokens)
    torch.testing.assert_close(pooled, found.pooled)
    assert model.traits.left_out == ("text_encoder_3",)
    assert "text_encoder_3" not in find_blueprint(path).networks


def test_a_folder_with_t5_lends_it(folder: Folder, tmp_path: Path) -> None:
    """Who gives one has it used."""
    save_file(with_text_encoders(build("sd3"), long=False), tmp_path / "x.safetensors")

    model, said = read(tmp_path / "x.safetensors", folder("sd3"))

    assert "no weights of text_encoder_3; they are taken from 'tiny-sd3'" in "".join(said)
    tokens, _ = encoded(build("sd3"), length=32)
    torch.testing.assert_close(tokens, model.encode_prompt("a cat").tokens)


def test_a_folder_without_t5_leaves_the_files_unread(weightless: Path, tmp_path: Path) -> None:
    """Who has chosen to work without it does."""
    save_file(with_text_encoders(build("sd3"), long=True), tmp_path / "x.safetensors")
    index = json.loads((weightless / "model_index.json").read_text())
    index |= {"text_encoder_3": [None, None], "tokenizer_3": [None, None]}
    (weightless / "model_index.json").write_text(json.dumps(index))

    model, said = read(tmp_path / "x.safetensors", weightless)

    assert "is used without text_encoder_3, as the folder 'weightless' is" in said[0]
    assert model.traits.left_out == ("text_encoder_3",)


def test_a_damaged_text_encoder_is_named(weightless: Path, tmp_path: Path) -> None:
    """The part and the file are named, as those of every other are."""
    tensors = with_text_encoders(build("sd3"), long=True)
    del tensors["text_encoders.t5xxl.transformer.encoder.final_layer_norm.weight"]
    save_file(tensors, tmp_path / "x.safetensors")

    with pytest.raises(ModelError, match=r"'text_encoder_3' of the file 'x.*' is not whole"):
        load_model(tmp_path / "x.safetensors", PLAN, config=weightless)


FORMER = ("scale_weight", "scale_input", "scaled_fp8")
TODAY = ("weight_scale", "input_scale", "x_embedder.comfy_quant")
"""What ComfyUI writes beside 8-bit floats: in its former files, and in those of today."""


@pytest.mark.parametrize("names", [FORMER, TODAY], ids=["former", "today"])
@pytest.mark.parametrize("kind", KINDS)
def test_scaled_floats_are_read_exactly(
    names: tuple[str, str, str], kind: Kind, folder: Folder, tmp_path: Path
) -> None:
    """The weights are those that the file means, as if it had them in 16 bits or more."""
    published = as_published(kind, build(kind, seed=1).transformer)
    stored, meant = scaled(published, names)
    for name, tensors in (("stored", stored), ("meant", meant)):
        path = tmp_path / f"{name}.safetensors"
        save_file({PREFIX + key: each.contiguous() for key, each in tensors.items()}, path)

    found, wanted = (
        read(tmp_path / f"{name}.safetensors", folder(kind))[0] for name in ("stored", "meant")
    )

    assert equal(dict(wanted.denoiser.state_dict()), dict(found.denoiser.state_dict()))


@pytest.mark.parametrize("kind", KINDS)
def test_plain_8_bit_floats_are_read(kind: Kind, folder: Folder, tmp_path: Path) -> None:
    """Without scales, they are the weights."""
    published = as_published(kind, build(kind, seed=1).transformer)
    rounded = {
        PREFIX + key: each.to(torch.float8_e4m3fn) if each.dim() == 2 else each
        for key, each in published.items()
    }
    save_file(rounded, tmp_path / "fp8.safetensors")
    save_file({key: each.float() for key, each in rounded.items()}, tmp_path / "fp32.safetensors")

    found, wanted = (
        read(tmp_path / f"{name}.safetensors", folder(kind))[0] for name in ("fp8", "fp32")
    )

    assert equal(dict(wanted.denoiser.state_dict()), dict(found.denoiser.state_dict()))


def test_scaled_floats_of_a_text_encoder_are_read_exactly(weightless: Path, tmp_path: Path) -> None:
    """Most files that bring T5 have it so."""
    stored, meant = scaled(with_text_encoders(build("sd3", seed=1), long=True), FORMER)
    save_file(stored, tmp_path / "stored.safetensors")
    save_file(meant, tmp_path / "meant.safetensors")

    found, wanted = (
        read(tmp_path / f"{name}.safetensors", weightless)[0].networks.encoders
        for name in ("stored", "meant")
    )

    for ours, theirs in zip(found, wanted, strict=True):
        assert equal(dict(theirs.state_dict()), dict(ours.state_dict()))


@pytest.mark.parametrize(
    ("dtype", "shape"), [(torch.int8, ()), (torch.uint8, ()), (torch.float8_e4m3fn, (2, 1))]
)
def test_other_scaled_numbers_are_refused(
    dtype: torch.dtype, shape: tuple[int, ...], tmp_path: Path
) -> None:
    """Whole numbers, 4 bits and blocks are named, and what to use."""
    tensors = {
        f"{PREFIX}joint_blocks.0.x.weight": torch.zeros(2, 2).to(dtype),
        f"{PREFIX}joint_blocks.0.x.weight_scale": torch.ones(shape),
    }
    save_file(tensors, tmp_path / "x.safetensors")

    with pytest.raises(ModelError, match=r"'x.safetensors' is a checkpoint in 4 bits, .*16 bits"):
        load_model(tmp_path / "x.safetensors", PLAN)


@pytest.mark.parametrize(
    ("tensors", "repository"),
    [
        (("joint_blocks.0.x", "context_embedder.weight", 4096), "stable-diffusion-3.5-medium"),
        (("single_stream_modulation.lin", "txt_in.weight", 7680), "FLUX.2-klein-base-4B"),
        (("single_stream_modulation.lin", "txt_in.weight", 12288), "FLUX.2-klein-base-9B"),
    ],
)
def test_what_the_rest_would_come_from_is_told_by_how_wide_prompts_are(
    tensors: tuple[str, str, int], repository: str, tmp_path: Path
) -> None:
    """No file is taken for the largest or the best known model of its kind."""
    mark, reader, width = tensors
    save_file({mark: torch.zeros(2), reader: torch.zeros(2, width)}, tmp_path / "x.safetensors")

    with pytest.raises(ModelError, match=rf"the rest would come from '[\w-]+/{repository}'"):
        load_model(tmp_path / "x.safetensors", PLAN)


@pytest.mark.parametrize("kind", ["flux2", "zimage"])
def test_a_file_that_may_be_distilled_says_so(
    kind: Kind, folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Base model and distilled sibling have the same tensors; without a folder it is a guess."""
    written(tmp_path / "x.safetensors", kind)
    monkeypatch.setattr("imagic_lora.models.source.lend", lambda *_: folder(kind))
    said = list[str]()

    with heard_by(said.append):
        load_model(tmp_path / "x.safetensors", PLAN)

    assert "does not say whether it was distilled" in "".join(said)
