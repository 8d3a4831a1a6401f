"""Transformers in one file, in the layouts of their makers, as people share them for other tools."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from benchmarks.checkpoint import vae_namer
from imagic_lora import ModelError
from imagic_lora.errors import heard_by
from imagic_lora.memory import MemoryPlan
from imagic_lora.models.loading import load_model
from tests.support.layouts import Tensors, as_published
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
    wanted, said = written(tmp_path / "x.safetensors", kind, prefix), list[str]()

    with heard_by(said.append):
        model = load_model(tmp_path / "x.safetensors", PLAN, config=folder(kind))

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
