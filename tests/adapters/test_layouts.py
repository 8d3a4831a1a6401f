"""LoRA files of every tool: each layout leads to the weights that peft itself would use."""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from imagic_lora import ImagicWarning
from imagic_lora.adapters.adopting import load_lora
from imagic_lora.adapters.file import write_tensors
from imagic_lora.adapters.names import kohya_name
from imagic_lora.adapters.weights import Weights
from imagic_lora.models.families import find_family
from imagic_lora.seeding import generator, randn
from tests.support.handmade import pipeline, predict
from tests.support.tiny import Kind

Pairs = dict[str, tuple[torch.Tensor, torch.Tensor]]
RANK = 2
DOWN_UP = (".lora_down.weight", ".lora_up.weight")
A_B = (".lora_A.weight", ".lora_B.weight")
OLD = (".lora.down.weight", ".lora.up.weight")


@cache
def factors(kind: Kind) -> Pairs:
    """Return matrices for every layer of a denoiser that tools train, in half precision."""
    found: Pairs = {}
    for path, layer in pipeline(kind).unet.named_modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            down, up = layer.weight.shape[1:], (layer.weight.shape[0], RANK)
            kernel = (1,) * (layer.weight.dim() - 2)
            found[path] = (
                (0.1 * randn((RANK, *down), generator(0, f"{path} down"))).half().float(),
                (0.1 * randn((*up, *kernel), generator(0, f"{path} up"))).half().float(),
            )
    return found


@cache
def by_peft(kind: Kind) -> torch.Tensor:
    """Return what the denoiser predicts with these matrices at twice their strength, by peft."""
    unet = copy.deepcopy(pipeline(kind).unet)
    config = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=list(factors(kind)))
    model: Any = get_peft_model(unet, config)
    for path, (down, up) in factors(kind).items():
        layer = model.base_model.model.get_submodule(path)
        layer.lora_A["default"].weight.data = down
        layer.lora_B["default"].weight.data = up
    return predict(unet)


@cache
def without(kind: Kind) -> torch.Tensor:
    """Return what the denoiser predicts by itself."""
    return predict(pipeline(kind).unet)


@dataclass(frozen=True)
class Layout:
    """How a tool writes a LoRA file.

    Attributes:
        name: Gives the name of a layer of a kind of model.
        endings: What follows the layer's name for the two matrices.
        alpha: Alpha of each layer, or None where it is elsewhere.
        dtype: Precision.
        convolved: Whether linear layers are written as convolutions of 1 x 1.
        header: Settings in the header, as diffusers writes them.
        beside: Settings in PEFT's own file.
        kinds: The models that it is for.
    """

    name: Callable[[str, Kind], str]
    endings: tuple[str, str]
    alpha: torch.Tensor | None = None
    dtype: torch.dtype = torch.float32
    convolved: bool = False
    header: dict[str, object] = field(default_factory=dict)
    beside: dict[str, object] = field(default_factory=dict)
    kinds: tuple[Kind, ...] = ("sd1", "sd2", "sdxl")

    def tensors(self, kind: Kind) -> dict[str, torch.Tensor]:
        """Return the tensors of a file for a kind of model."""
        found = {}
        for path, pair in factors(kind).items():
            name = self.name(path, kind)
            for ending, matrix in zip(self.endings, pair, strict=True):
                widened = self.convolved and matrix.dim() == 2
                shaped = matrix[..., None, None] if widened else matrix
                found[name + ending] = shaped.to(self.dtype)
            if self.alpha is not None:
                found[f"{name}.alpha"] = self.alpha
        return found


def after(prefix: str) -> Callable[[str, Kind], str]:
    """Return what puts a prefix before diffusers' path."""
    return lambda path, _: prefix + path


def flat(prefix: str) -> Callable[[str, Kind], str]:
    """Return what puts a prefix before diffusers' path without dots."""
    return lambda path, _: prefix + path.replace(".", "_")


def row(prefix: str) -> Callable[[str, Kind], str]:
    """Return what puts a prefix before the path in Stability AI's code, as an export names it."""
    family = find_family("sdxl")
    return lambda path, _: prefix + kohya_name(path, family).removeprefix(family.kohya_prefix)


TWICE = torch.tensor(2.0 * RANK)
ROOT_2 = 2**0.5

LAYOUTS: dict[str, Layout] = {
    "kohya": Layout(flat("lora_unet_"), DOWN_UP, TWICE, kinds=("sd1", "sd2")),
    "kohya, 1 x 1": Layout(flat("lora_unet_"), DOWN_UP, TWICE, convolved=True),
    "kohya, float16": Layout(flat("lora_unet_"), DOWN_UP, TWICE, torch.float16),
    "kohya, alpha in a list": Layout(flat("lora_unet_"), DOWN_UP, TWICE[None]),
    "kohya, alpha a whole number": Layout(flat("lora_unet_"), DOWN_UP, TWICE.int()),
    "kohya, row": Layout(row("lora_unet_"), DOWN_UP, TWICE),
    "kohya, row, 1 x 1": Layout(row("lora_unet_"), DOWN_UP, TWICE, convolved=True),
    "LyCORIS": Layout(flat("lycoris_"), DOWN_UP, TWICE),
    "LyCORIS, row": Layout(row("lycoris_"), DOWN_UP, TWICE),
    "diffusers": Layout(after("unet."), A_B, header={"unet.r": RANK, "unet.lora_alpha": 2 * RANK}),
    "diffusers, rank-stabilised": Layout(
        after("unet."),
        A_B,
        header={"unet.r": RANK, "unet.lora_alpha": 2 * ROOT_2, "unet.use_rslora": True},
    ),
    "diffusers, patterns": Layout(
        after("unet."),
        A_B,
        header={
            "unet.r": 64,
            "unet.lora_alpha": 9,
            "unet.rank_pattern": {".*": RANK},
            "unet.alpha_pattern": {".*": 2 * RANK},
        },
    ),
    "diffusers, alphas as tensors": Layout(after("unet."), A_B, TWICE),
    "diffusers of 2023": Layout(after("unet."), OLD, TWICE),
    "diffusers, kohya's endings": Layout(after("unet."), DOWN_UP, TWICE),
    "bare": Layout(after(""), A_B, TWICE),
    "bare, kohya's endings": Layout(after(""), DOWN_UP, TWICE),
    "PEFT": Layout(after("base_model.model."), A_B, beside={"r": RANK, "lora_alpha": 2 * RANK}),
    "PEFT, patterns": Layout(
        after("base_model.model."),
        A_B,
        beside={"r": 1, "lora_alpha": 1, "alpha_pattern": {".*": 2 * RANK}},
    ),
    "PEFT, of a pipeline": Layout(
        after("base_model.model.unet."), A_B, beside={"r": RANK, "lora_alpha": 2 * RANK}
    ),
    "PEFT, within diffusers'": Layout(after("unet.base_model.model."), A_B, TWICE),
    "PEFT at work": Layout(
        after("unet."), (".lora_A.default.weight", ".lora_B.default.weight"), TWICE
    ),
    "PEFT at work, another adapter": Layout(
        after("unet."), (".lora_A.style_1.weight", ".lora_B.style_1.weight"), TWICE
    ),
    "ComfyUI": Layout(after("diffusion_model."), DOWN_UP, TWICE),
    "ComfyUI, A and B": Layout(after("diffusion_model."), A_B, TWICE),
    "ComfyUI, whole prefix": Layout(after("model.diffusion_model."), A_B, TWICE),
    "bfloat16": Layout(after("unet."), A_B, TWICE, torch.bfloat16),
}
ONCE = [
    *((name, layout.kinds[0]) for name, layout in LAYOUTS.items()),
    *(("kohya, row, 1 x 1", kind) for kind in ("sd2", "sdxl")),
]
READ_BY_DIFFUSERS = (
    "kohya",
    "kohya, float16",
    "kohya, alpha in a list",
    "kohya, alpha a whole number",
    "diffusers",
    "diffusers, rank-stabilised",
    "diffusers, patterns",
)
"""Of the others it refuses some, and reads some as if they held nothing."""

EVERY = [(name, kind) for name, layout in LAYOUTS.items() for kind in layout.kinds]


def loaded(layout: Layout, kind: Kind, folder: Path, **others: torch.Tensor) -> Weights:
    """Return what is read of a file of a layout."""
    tensors = {**layout.tensors(kind), **others}
    name = "adapter_model.safetensors" if layout.beside else "x.safetensors"
    stated = {**layout.header, "unet.target_modules": [*factors(kind)]}
    header = {"lora_adapter_metadata": json.dumps(stated)} if layout.header else {}
    (folder / name).write_bytes(write_tensors(tensors, header))
    if layout.beside:
        (folder / "adapter_config.json").write_text(json.dumps(layout.beside))
    return load_lora(folder / name, pipeline(kind).unet)


@pytest.mark.parametrize(("name", "kind"), EVERY)
def test_every_layout_gives_the_same_weights(name: str, kind: Kind, tmp_path: Path) -> None:
    """Every layer is found in its place, at the strength that the file states."""
    found = loaded(LAYOUTS[name], kind, tmp_path)

    near = 0.02 if LAYOUTS[name].dtype == torch.bfloat16 else 0.002
    assert factors(kind).keys() == found.pairs.keys()
    for path, (down, up) in factors(kind).items():
        pair = found.pairs[path]
        torch.testing.assert_close(down, pair.down.float(), rtol=near, atol=1e-4)
        torch.testing.assert_close(2 * up, pair.up.float(), rtol=near, atol=1e-4)


@pytest.mark.parametrize(("name", "kind"), ONCE)
def test_the_pictures_are_those_of_peft(name: str, kind: Kind, tmp_path: Path) -> None:
    """With the weights of a file the denoiser predicts what it does with peft's own layers."""
    unet = pipeline(kind).unet

    ours = predict(unet, loaded(LAYOUTS[name], kind, tmp_path))

    near = 0.02 if LAYOUTS[name].dtype == torch.bfloat16 else 2e-3
    torch.testing.assert_close(by_peft(kind), ours, rtol=near, atol=near)
    assert not torch.allclose(without(kind), ours, rtol=near, atol=2e-2)


@pytest.mark.parametrize("name", READ_BY_DIFFUSERS)
def test_the_pictures_are_those_of_diffusers(name: str, tmp_path: Path) -> None:
    """A file that plain diffusers reads, too, does there what it does here."""
    whole, layout = pipeline("sd1"), LAYOUTS[name]
    ours = predict(whole.unet, loaded(layout, "sd1", tmp_path))
    file = next(tmp_path.glob("*.safetensors")).name

    whole.load_lora_weights(tmp_path, weight_name=file, adapter_name="theirs")
    try:
        theirs = predict(whole.unet)
    finally:
        whole.unload_lora_weights()

    near = 0.02 if layout.dtype == torch.bfloat16 else 2e-3
    torch.testing.assert_close(theirs, ours, rtol=near, atol=near)


@pytest.mark.parametrize("name", ["adapter_model", "pytorch_lora_weights"])
def test_a_folder_stands_for_the_file_in_it(name: str, tmp_path: Path) -> None:
    """What PEFT and diffusers save is a folder."""
    layout = LAYOUTS["diffusers, alphas as tensors"]
    whole = loaded(layout, "sd1", tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "x.safetensors").rename(tmp_path / "folder" / f"{name}.safetensors")

    found = load_lora(tmp_path / "folder", pipeline("sd1").unet)
    assert whole.keys() == found.keys()
    assert all(torch.equal(tensor, found[key]) for key, tensor in whole.items())


@pytest.mark.parametrize(
    "prefix",
    [
        "lora_te_", "lora_te1_", "lora_te2_", "lycoris_te_", "text_encoder.", "text_encoder_2.",
        "text_model.", "base_model.model.text_model.", "text_encoders.clip_l.", "clip_l.", "te1.",
        "cond_stage_model.", "conditioner.embedders.0.",
    ],
)  # fmt: skip
def test_parts_for_the_text_encoders_are_left_out_with_a_note(prefix: str, tmp_path: Path) -> None:
    """Whatever a tool calls them, the rest of the file is read."""
    layout = LAYOUTS["kohya"]
    others = {f"{prefix}x.lora_{which}.weight": torch.ones(2, 2) for which in ("down", "up")}

    with pytest.warns(ImagicWarning, match="2 tensors for the text encoders"):
        found = loaded(layout, "sd1", tmp_path, **others)

    assert factors("sd1").keys() == found.pairs.keys()
