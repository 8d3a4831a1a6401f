"""Checkpoint files and folders as people have them: loaded right, or refused in one sentence."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file

from benchmarks.checkpoint import save_checkpoint
from imagic_lora import ModelError, SettingsError
from imagic_lora.conditioning import Conditioning
from imagic_lora.errors import heard_by
from imagic_lora.memory import MemoryPlan
from imagic_lora.models.base import LatentModel
from imagic_lora.models.checkpoint import Checkpoint
from imagic_lora.models.loading import load_model
from imagic_lora.models.prediction import PredictionName
from imagic_lora.seeding import generator, randn
from tests.support.checkpoints import CASES, UNET, Case
from tests.support.tiny import Kind, build

PLAN = MemoryPlan.automatic("cpu")
Folder = Callable[[Kind], Path]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """Give the tensors of a whole checkpoint of the tiny Stable Diffusion 1."""
    path = tmp_path_factory.mktemp("whole") / "one.safetensors"
    save_checkpoint(build("sd1"), path)
    return load_file(path)


@pytest.fixture(scope="module")
def lending(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder of the same kind of model with weights of its own."""
    path = tmp_path_factory.mktemp("lending") / "lending"
    build("sd1", seed=1).save_pretrained(path)
    return path


def by_diffusers(pipeline: Any, tokens: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
    """Return what each network of a plain pipeline makes of the inputs of `results`."""
    x_t = randn((1, 4, 16, 16), generator(0, "x_t"))
    with torch.no_grad():
        encoded = pipeline.encode_prompt("a cat", "cpu", 1, do_classifier_free_guidance=False)[0]
        given = encoded if tokens is None else tokens
        predicted = pipeline.unet(x_t, torch.tensor([500]), given).sample
        decoded = pipeline.vae.decode(x_t / pipeline.vae.config.scaling_factor).sample.clamp(-1, 1)
    return {"unet": predicted, "vae": decoded, "text_encoder": encoded}


def read_by_diffusers(path: Path, config: Path) -> Any:
    """Return the pipeline that plain diffusers makes of a checkpoint file."""
    return StableDiffusionPipeline.from_single_file(
        str(path), config=str(config), local_files_only=True
    )


def results(model: LatentModel, tokens: Any = None) -> dict[str, torch.Tensor]:
    """Return what each network of a model makes of the same inputs."""
    x_t = randn((1, 4, 16, 16), generator(0, "x_t"))
    conditioning = model.encode_prompt("a cat")
    with torch.no_grad():
        predicted = model.predict(x_t, torch.tensor([500]), tokens or conditioning)
    return {"unet": predicted, "vae": model.decode(x_t), "text_encoder": conditioning.tokens}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_a_file_loads_right_or_is_named(
    case: Case, whole: dict[str, torch.Tensor], lending: Path, tmp_path: Path
) -> None:
    """Parts that a file has are its own, those that it lacks the folder's; else one sentence."""
    path, said = tmp_path / "x.safetensors", list[str]()
    save_file({key: value.clone() for key, value in case.change(whole).items()}, path)

    if case.said:
        with pytest.raises(ModelError, match=f"'x.safetensors'.*{case.said}") as caught:
            load_model(path, PLAN, config=lending)
        assert "\n" not in str(caught.value)
        return
    with heard_by(said.append):
        model = load_model(path, PLAN, config=lending)

    near = 0.3 if "8-bit" in case.what else 2e-3
    own, lent = by_diffusers(build("sd1")), by_diffusers(build("sd1", seed=1))
    found = results(model, Conditioning(own["text_encoder"]))
    for part, value in found.items():
        right = lent if part in case.taken else own
        torch.testing.assert_close(right[part], value, atol=near, rtol=0.0)
    assert bool(case.taken) == bool(said)
    if case.plain:
        theirs = by_diffusers(read_by_diffusers(path, lending), own["text_encoder"])
        for part, value in found.items():
            torch.testing.assert_close(theirs[part], value, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ["sd2", "sdxl"])
def test_a_configuration_that_does_not_fit_is_named(
    kind: Kind, whole: dict[str, torch.Tensor], folder: Folder, tmp_path: Path
) -> None:
    """Of another width or family, the folder is refused with both sides, before loading."""
    save_file(whole, tmp_path / "x.safetensors")

    with pytest.raises(ModelError, match=rf"'tiny-{kind}' is for a .*checkpoint"):
        load_model(tmp_path / "x.safetensors", PLAN, config=folder(kind))


def test_a_folder_without_the_missing_part_is_named(
    whole: dict[str, torch.Tensor], lending: Path, tmp_path: Path
) -> None:
    """A configuration without weights cannot lend a part."""
    config = Path(shutil.copytree(lending, tmp_path / "config"))
    next((config / "vae").glob("*.safetensors")).unlink()
    save_file({k: v for k, v in whole.items() if "first" not in k}, tmp_path / "x.safetensors")

    with pytest.raises(ModelError, match=r"lacks vae, and so does the folder 'config'"):
        load_model(tmp_path / "x.safetensors", PLAN, config=config)


def test_a_file_is_told_by_its_header_alone(tmp_path: Path) -> None:
    """The family of a UNet of Stable Diffusion XL alone is told by what it adds to prompts."""
    names = (f"{UNET}input_blocks.0.0.bias", f"{UNET}label_emb.0.0.weight")
    save_file({name: torch.ones(2) for name in names}, tmp_path / "x")

    found = Checkpoint.open(tmp_path / "x")

    assert ("sdxl", ("unet",)) == (found.family.name, found.parts())


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [
        ("auto", ("epsilon", False)),
        ("epsilon", ("epsilon", False)),
        ("v_prediction", ("v_prediction", False)),
        ("v_prediction_zero_snr", ("v_prediction", True)),
        ("sample", ("sample", False)),
    ],
)
def test_what_is_predicted_can_be_said(
    prediction: PredictionName, expected: tuple[str, bool], folder: Folder
) -> None:
    """Where nothing marks a model, the user's word counts."""
    model = load_model(folder("sd1"), PLAN, prediction=prediction)

    left = model.objective.add_noise(torch.ones(1), torch.zeros(1), torch.tensor([999]))
    assert expected == (model.objective.name, left.item() < 1e-3)


def test_an_unknown_prediction_is_refused(folder: Folder) -> None:
    """The sentence says what is allowed."""
    with pytest.raises(SettingsError, match="v_prediction_zero_snr"):
        load_model(folder("sd1"), PLAN, prediction="velocity")  # type: ignore[arg-type]


# Folders


def _renamed(part: str, variant: str) -> Callable[[Path], None]:
    """Return what gives a part's weights the name of a variant."""

    def change(folder: Path) -> None:
        file = next((folder / part).glob("*.safetensors"))
        file.rename(file.with_name(f"{file.stem}.{variant}.safetensors"))

    return change


def _sharded(folder: Path) -> None:
    """Save the UNet in several files."""
    unet = UNet2DConditionModel.from_pretrained(folder / "unet")
    shutil.rmtree(folder / "unet")
    unet.save_pretrained(folder / "unet", max_shard_size="600KB")


def _shard_lost(folder: Path) -> None:
    _sharded(folder)
    next((folder / "unet").glob("*-of-*")).unlink()


def _tensors_lost(folder: Path) -> None:
    file = next((folder / "unet").glob("*.safetensors"))
    kept = {key: value for key, value in load_file(file).items() if "mid_block" not in key}
    save_file(kept, file)


def _indexed(**parts: object) -> Callable[[Path], None]:
    """Return what changes lines of the index."""

    def change(folder: Path) -> None:
        index = json.loads((folder / "model_index.json").read_text())
        (folder / "model_index.json").write_text(json.dumps({**index, **parts}))

    return change


@pytest.mark.parametrize(
    "change",
    [
        *(_renamed(part, "fp16") for part in ("unet", "vae", "text_encoder")),
        _renamed("unet", "non_ema"),
        _sharded,
    ],
)
def test_weights_are_found_in_any_form(
    change: Callable[[Path], None], folder: Folder, tmp_path: Path
) -> None:
    """Some parts may be there under a variant's name alone, or in several files."""
    path = Path(shutil.copytree(folder("sd1"), tmp_path / "model"))
    change(path)

    found = results(load_model(path, PLAN))

    for part, value in by_diffusers(build("sd1")).items():
        torch.testing.assert_close(value, found[part])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_shard_lost, "lacks unet; weights must be whole"),
        (_tensors_lost, "part 'unet'.* damaged, not whole, or do not fit"),
        (_indexed(vae=["diffusers", "AutoencoderTiny"]), "'vae' of the class.*AutoencoderTiny"),
        (_indexed(text_encoder=[None, None]), "made without text_encoder, as the refiner"),
        (
            _indexed(vae=[None, None]),
            "made without vae; use one that has all of unet, vae, text_encoder",
        ),
        (_indexed(_class_name="StableDiffusionInpaintPipeline"), "a model for inpainting"),
        (_indexed(_class_name="StableDiffusionUpscalePipeline"), "an upscaler"),
    ],
)
def test_a_folder_that_does_not_serve_is_named(
    change: Callable[[Path], None], said: str, folder: Folder, tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """One sentence of ours says what is wrong, and the loaders say nothing."""
    path = Path(shutil.copytree(folder("sd1"), tmp_path / "model"))
    change(path)
    capfd.readouterr()

    with pytest.raises(ModelError, match=said) as caught:
        load_model(path, PLAN)

    assert "\n" not in str(caught.value)
    assert ("", "") == tuple(capfd.readouterr())


@pytest.mark.parametrize("name", ["sd15", "sd21", "sdxl"])
def test_a_known_name_leads_to_its_repository(name: str) -> None:
    """A name of `plan` is one to load, too; offline the error names where it would come from."""
    with pytest.raises(ModelError, match=r"'[\w-]+/stable-diffusion-[\w.-]+'"):
        load_model(name, PLAN)
