import copy
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from peft import LoraConfig, get_peft_model
from PIL import Image

from imagic_lora import (
    Adapter,
    AdapterFileError,
    AdapterMismatchError,
    EditSettings,
    ImagicEditor,
    ImagicWarning,
    PromptError,
    export_lora,
)
from imagic_lora.adapters.adopting import load_lora, read_lora
from imagic_lora.adapters.exporting import Tool
from imagic_lora.adapters.file import write_tensors
from imagic_lora.adapters.scales import read_scales
from imagic_lora.adapters.weights import Pair, Weights
from imagic_lora.seeding import generator, randn
from tests.support.handmade import TOOLS, filled, pipeline, predict
from tests.support.tiny import KINDS, Kind

Tensors = dict[str, torch.Tensor]
PATH = "a.to_q"
DOWN, UP = torch.ones(4, 3), torch.ones(5, 4)
KOHYA = {"lora_unet_a_to_q.lora_down.weight": DOWN, "lora_unet_a_to_q.lora_up.weight": UP}
PEFT = {"unet.a.to_q.lora_A.weight": DOWN, "unet.a.to_q.lora_B.weight": UP}


def read(tensors: Tensors, **metadata: str) -> Weights:
    """Return what is read from a file of these tensors, for a denoiser of one layer."""
    return read_lora(write_tensors(tensors, metadata), [PATH])


def up_of(weights: Weights) -> float:
    """Return what every entry of the second matrix is."""
    (value,) = set(weights.pairs[PATH].up.flatten().tolist())
    return float(value)


def product(pair: Pair) -> torch.Tensor:
    """Return what a pair of matrices adds to a layer's weight, exactly."""
    return pair.up.double().flatten(1) @ pair.down.double().flatten(1)


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_export_comes_back_bit_for_bit(
    kind: Kind,
    tool: Tool,
    adapter: Callable[[Kind], Adapter],
    editor: Callable[[Kind], ImagicEditor],
    picture: Image.Image,
    tmp_path: Path,
) -> None:
    """What is exported and adopted again has the same weights, for every family."""
    export_lora(adapter(kind), tmp_path / "x.safetensors", tool)

    back = editor(kind).adopt(tmp_path / "x.safetensors", picture, source="a dog")

    assert adapter(kind).lora.keys() == back.lora.keys()
    for expected, found in zip(
        adapter(kind).lora.pairs.values(), back.lora.pairs.values(), strict=True
    ):
        # Joined with others in the file, they come back with rows of zeros for those.
        assert torch.equal(product(expected), product(found))


def test_an_adopted_lora_works_with_plain_prompts(
    adapter: Callable[[Kind], Adapter],
    editor: Callable[[Kind], ImagicEditor],
    picture: Image.Image,
    tmp_path: Path,
) -> None:
    """Its conditioning is the caption's, it says that nothing was fitted, and it edits."""
    export_lora(adapter("sd1"), tmp_path / "x.safetensors", "kohya")

    back = editor("sd1").adopt(tmp_path / "x.safetensors", picture, source=" a dog ")
    edit = editor("sd1").edit(back, target="a cat", settings=EditSettings(steps=2))

    caption = editor("sd1").model.encode_prompt("a dog").to("cpu", torch.float16)
    assert caption.equal(back.conditioning)
    assert torch.equal(adapter("sd1").latents, back.latents)
    assert (None, (), None) == (back.record.settings, back.record.losses, back.record.gap)
    assert back == Adapter.from_bytes(back.to_bytes())
    assert back.sha256 == edit.adapter_sha256


def test_adopting_needs_a_caption(
    editor: Callable[[Kind], ImagicEditor], picture: Image.Image, tmp_path: Path
) -> None:
    """Without a caption there is nothing to condition on."""
    with pytest.raises(PromptError, match="source caption"):
        editor("sd1").adopt(tmp_path / "none", picture, source=" ")


def _kohya_style(weights: Weights, alpha: float) -> tuple[Tensors, dict[str, str]]:
    """Return a kohya file of SD 1 whose alpha is one for all layers."""
    file = {}
    for name, tensor in weights.items():
        path, _, which = name.removesuffix(".weight").rpartition(".")
        flat = "lora_unet_" + path.replace(".", "_")
        file[f"{flat}.{'lora_down' if which == 'lora_A' else 'lora_up'}.weight"] = tensor
        file[f"{flat}.alpha"] = torch.tensor(alpha)
    return file, {}


def _peft_style(weights: Weights, alpha: float) -> tuple[Tensors, dict[str, str]]:
    """Return a diffusers file with the alpha in its header, another one for one layer."""
    paths = sorted({name.rpartition(".lora_")[0] for name in weights})
    settings = {
        "unet.r": 3,
        "unet.lora_alpha": alpha,
        "unet.target_modules": paths,
        "unet.rank_pattern": {p: rank for p, rank in weights.ranks().items() if rank != 3},
        "unet.alpha_pattern": {paths[0]: 7},
    }
    metadata = {"lora_adapter_metadata": json.dumps(settings)}
    return {f"unet.{name}": tensor for name, tensor in weights.items()}, metadata


@pytest.mark.parametrize("style", [_kohya_style, _peft_style])
def test_an_alpha_that_is_not_the_rank_is_folded_in(
    style: Callable[[Weights, float], tuple[Tensors, dict[str, str]]], tmp_path: Path
) -> None:
    """A file whose scale is not 1 does to the UNet what diffusers' own loaders make of it."""
    whole = pipeline("sd1")
    tensors, metadata = style(filled(whole.unet), 1.5)
    data = write_tensors(tensors, metadata)
    (tmp_path / "x.safetensors").write_bytes(data)
    weights = read_lora(data, [path for path, _ in whole.unet.named_modules()])

    ours = predict(whole.unet, weights)
    unscaled = predict(whole.unet, filled(whole.unet))
    whole.load_lora_weights(tmp_path, weight_name="x.safetensors", adapter_name="theirs")
    try:
        theirs = predict(whole.unet)
    finally:
        whole.unload_lora_weights()

    torch.testing.assert_close(theirs, ours, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(unscaled, ours, rtol=1e-3, atol=1e-2)


NAMES: dict[str, Tensors] = {
    "kohya": KOHYA,
    "peft": PEFT,
    "bare": {name.removeprefix("unet."): tensor for name, tensor in PEFT.items()},
    "training script": {
        "unet.a.to_q.lora.down.weight": DOWN,
        "unet.a.to_q.lora.up.weight": UP,
    },
    "comfy": {
        "diffusion_model.a.to_q.lora_down.weight": DOWN,
        "diffusion_model.a.to_q.lora_up.weight": UP,
    },
    "lycoris": {"lycoris_a_to_q.lora_down.weight": DOWN, "lycoris_a_to_q.lora_up.weight": UP},
    "module": {"a.to_q.lora_A.default.weight": DOWN, "a.to_q.lora_B.default.weight": UP},
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_way_of_naming_is_read(name: str, dtype: torch.dtype) -> None:
    """Kohya's, PEFT's and diffusers' names lead to the same weights, from any precision."""
    found = read({key: tensor.to(dtype) for key, tensor in NAMES[name].items()})

    assert {f"{PATH}.lora_A.weight", f"{PATH}.lora_B.weight"} == found.keys()
    assert {torch.float16} == {tensor.dtype for tensor in found.values()}
    assert 1 == up_of(found)


SCALES: dict[str, tuple[dict[str, object], float]] = {
    "alpha": ({"unet.lora_alpha": 2}, 0.5),
    "alpha of a layer": ({"unet.lora_alpha": 2, "unet.alpha_pattern": {"to_q": 8}}, 2),
    "alpha of a whole path": ({"alpha_pattern": {"^a.to_q$": 8}}, 2),
    "alpha of another layer": ({"unet.lora_alpha": 4, "unet.alpha_pattern": {"o_q": 8}}, 1),
    "alpha by a regular expression": ({"unet.alpha_pattern": {r"[ab]\..*_(k|q)": 2, "a": 3}}, 0.5),
    "the first that matches": ({"unet.alpha_pattern": {"to_.": 2, "to_q": 8}}, 0.5),
    "no alpha": ({"unet.r": 4}, 2),
    "switches that are off": ({"unet.lora_alpha": 4, "unet.use_dora": False, "lora_bias": None}, 1),
    "rank-stabilised": ({"unet.lora_alpha": 2, "unet.use_rslora": True}, 1),
    "of the text encoder": ({"text_encoder.lora_alpha": 2}, 1),
}


@pytest.mark.parametrize("name", SCALES)
def test_the_header_of_peft_is_obeyed(name: str) -> None:
    """The scale is alpha over rank, or over its root, with the alpha of the layer at hand."""
    settings, expected = SCALES[name]

    assert expected == up_of(read(PEFT, lora_adapter_metadata=json.dumps(settings)))


def test_what_is_for_the_text_encoders_is_left_out_aloud() -> None:
    """Their tensors are counted in a warning, and the rest is read."""
    others = {f"lora_te1_x.lora_{way}.weight": DOWN for way in ("down", "up")}

    with pytest.warns(ImagicWarning, match="2 tensors for the text encoders"):
        found = read({**KOHYA, **others})

    assert 2 == len(found)


BAD: dict[str, tuple[Tensors, str]] = {
    "DoRA of kohya": ({**KOHYA, "lora_unet_a_to_q.dora_scale": DOWN}, "DoRA"),
    "DoRA of PEFT": ({**PEFT, "unet.a.to_q.lora_magnitude_vector": DOWN}, "DoRA"),
    "LoHa": ({"lora_unet_a_to_q.hada_w1_a": DOWN}, "LoHa"),
    "LoKr": ({"lora_unet_a_to_q.lokr_w1": DOWN}, "LoKr"),
    "core tensor": ({**KOHYA, "lora_unet_a_to_q.lora_mid.weight": DOWN}, "core tensor"),
    "full": ({"lora_unet_a_to_q.diff": DOWN}, "whole weight"),
    "no LoRA": ({"model.diffusion_model.x.weight": DOWN}, "no part of a LoRA"),
    "half a pair": ({"unet.a.to_q.lora_A.weight": DOWN}, "no partner"),
    "ranks that differ": ({**PEFT, "unet.a.to_q.lora_A.weight": DOWN[:2]}, "does not match"),
    "no rank": ({"a.to_q.lora_A.weight": DOWN[:0], "a.to_q.lora_B.weight": UP[:, :0]}, "shape"),
    "an alpha alone": ({"lora_unet_a_to_q.alpha": torch.ones(())}, "no LoRA weights"),
    "two alphas": ({**KOHYA, "lora_unet_a_to_q.alpha": torch.ones(2)}, "no single number"),
    "infinite": ({**KOHYA, "lora_unet_a_to_q.alpha": torch.tensor(torch.inf)}, "alpha is inf"),
    "an alpha of 0": ({**KOHYA, "lora_unet_a_to_q.alpha": torch.zeros(())}, "alpha is 0"),
    "too small": ({**KOHYA, "lora_unet_a_to_q.alpha": torch.tensor(1e-30)}, "cannot hold"),
    "no floats": ({name: tensor.int() for name, tensor in PEFT.items()}, "int32"),
    "one layer under two names": ({**KOHYA, **PEFT}, "under two names"),
    "halves under two names": (
        {"lora_unet_a_to_q.lora_down.weight": DOWN, "unet.a.to_q.lora_B.weight": UP},
        "under two names",
    ),
    "one name, two endings": ({**PEFT, "unet.a.to_q.lora_up.weight": UP}, "under two names"),
    "a convolution's up that is one of 3 x 3": (
        {
            "unet.a.to_q.lora_A.weight": torch.ones(4, 3, 3, 3),
            "unet.a.to_q.lora_B.weight": torch.ones(5, 4, 3, 3),
        },
        "does not match",
    ),
    "an unknown prefix": (
        {f"my_model.{name}": tensor for name, tensor in PEFT.items()},
        "begins with none of",
    ),
    "PEFT's own without its settings": (
        {name.replace("unet.", "base_model.model."): tensor for name, tensor in PEFT.items()},
        "adapter_config",
    ),
    "too large": ({**KOHYA, "lora_unet_a_to_q.alpha": torch.tensor(1e9)}, "cannot hold"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_plain_lora_is_refused(name: str) -> None:
    """Other methods and broken files are refused, naming the tensor or layer and the reason."""
    tensors, expected = BAD[name]

    with pytest.raises(AdapterFileError, match=expected):
        read(tensors)


@pytest.mark.parametrize(
    "text",
    [
        "[", "[1]", "[[1, 2]]", '{"lora_alpha": "x"}', '{"alpha_pattern": 3}', '{"lora_alpha": Infinity}', "[" * 9999,
        '{"lora_alpha": 0}', f'{{"lora_alpha": 1{"0" * 400}}}', '{"alpha_pattern": {"to_q": null}}',
        '{"use_rslora": "false"}', '{"use_dora": true}', '{"lora_bias": true}', '{"peft_type": "LOHA"}',
        '{"init_lora_weights": "pissa_niter_4"}', '{"init_lora_weights": "loftq"}', '{"init_lora_weights": []}',
        '{"alora_invocation_tokens": [5]}', '{"use_qalora": "no"}',
        '{"alpha_pattern": {"(": 1}}', '{"alpha_pattern": {"(a*)*": 1}}', '{"alpha_pattern": {".*.*.*": 1}}',
        '{"alpha_pattern": {"(?=a)": 1}}', f'{{"alpha_pattern": {{"{"(a|a)" * 30}": 1}}}}',
        f'{{"alpha_pattern": {{"{"a?" * 40}": 1}}}}', f'{{"alpha_pattern": {{"{"a" * 300}": 1}}}}',
        json.dumps({"alpha_pattern": {f"a{n}.*": 1 for n in range(99)}}),
    ],
    ids=lambda text: text[:30],
)  # fmt: skip
def test_a_header_of_more_than_a_plain_lora_is_refused(text: str) -> None:
    """Whatever stands for PEFT's settings, it is obeyed or an AdapterFileError, never passed over."""
    with pytest.raises(AdapterFileError, match="lora_adapter_metadata"):
        read(PEFT, lora_adapter_metadata=text)


def test_a_file_cut_anywhere_is_refused() -> None:
    """Whatever its length, a truncated file raises an AdapterFileError and nothing else."""
    data = safetensors.torch.save(KOHYA)

    for length in range(len(data)):
        with pytest.raises(AdapterFileError):
            read_lora(data[:length], [PATH])


def test_a_lora_for_another_model_is_refused() -> None:
    """The error names the layer that the model lacks."""
    with pytest.raises(AdapterMismatchError, match="'lora_unet_b_to_q'"):
        read({"lora_unet_b_to_q.lora_down.weight": DOWN})


def test_the_file_is_named(
    editor: Callable[[Kind], ImagicEditor], picture: Image.Image, tmp_path: Path
) -> None:
    """A file that is missing or wrong is named in the error."""
    with pytest.raises(AdapterFileError, match=r"none\.safetensors.*no such file"):
        editor("sd1").adopt(tmp_path / "none.safetensors", picture, source="a")


def test_the_patterns_of_a_hostile_file_take_no_time() -> None:
    """The slowest patterns that are read at all are through with a large model in seconds."""
    slow = {f".*.*({n}|_|_)z": 1 for n in range(10)}
    paths = [f"down_blocks.{n}.attentions.0.transformer_blocks.0.attn1.to_q" for n in range(100)]
    scales = read_scales("header", {"alpha_pattern": slow})

    began = time.process_time()
    found = {scales.of(path, 4) for path in paths}

    assert {2} == found
    assert time.process_time() - began < 5


def _saved_by_peft(folder: Path) -> tuple[Path, Any]:
    """Save a LoRA of PEFT's own; return its file, and a UNet that holds it."""
    unet = copy.deepcopy(pipeline("sd1").unet)
    patterns = {r".*attn2\.to_k": 32, r"(down|up)_blocks\..*\.to_q": 2}
    config = LoraConfig(r=4, lora_alpha=8, target_modules=["to_q", "to_k"], alpha_pattern=patterns)
    model: Any = get_peft_model(unet, config)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            drawn = randn(tuple(parameter.shape), generator(0, name))
            parameter.data = (0.2 * drawn).half().float()
    model.save_pretrained(folder)
    return folder / "adapter_model.safetensors", unet


def test_a_file_of_peft_is_read_with_the_settings_beside_it(tmp_path: Path) -> None:
    """What PEFT saved, its alphas by patterns, does to the UNet what PEFT's own layers do."""
    file, held = _saved_by_peft(tmp_path)
    plain = pipeline("sd1").unet

    ours = predict(plain, load_lora(file, plain))

    torch.testing.assert_close(predict(held), ours, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(predict(plain), ours, rtol=1e-3, atol=1e-2)


def test_a_file_of_peft_needs_the_settings_beside_it(tmp_path: Path) -> None:
    """Alone it has no alphas, so its strength cannot be known."""
    file, _ = _saved_by_peft(tmp_path)
    (tmp_path / "adapter_config.json").unlink()

    with pytest.raises(AdapterFileError, match=r"adapter_config\.json.* put both files into one"):
        load_lora(file, pipeline("sd1").unet)


@pytest.mark.parametrize("prefix", ["unet.", ""])
def test_the_names_of_2023_are_read(prefix: str) -> None:
    """Diffusers' training scripts named the attentions' layers after processors then."""
    block = "mid_block.attentions.0.transformer_blocks.0.attn1"
    file: Tensors = {}
    for last in ("to_q", "to_k", "to_v", "to_out"):
        name = f"{prefix}{block}.processor.{last}_lora"
        file |= {f"{name}.down.weight": DOWN, f"{name}.up.weight": UP}
    paths = [f"{block}.{last}" for last in ("to_q", "to_k", "to_v", "to_out.0")]

    found = read_lora(write_tensors(file, {}), paths)

    assert set(paths) == found.pairs.keys()


def test_comfyui_counts_layers_in_one_row() -> None:
    """Its own names are Stability AI's, for every family."""
    name = "diffusion_model.input_blocks.4.1.transformer_blocks.0.attn1.to_q"
    path = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
    file = {f"{name}.lora_down.weight": DOWN, f"{name}.lora_up.weight": UP}

    assert {path} == read_lora(write_tensors(file, {}), [path]).pairs.keys()


def test_much_metadata_is_no_damage() -> None:
    """Kohya's scripts write megabytes of tags into the header; they are passed over."""
    found = read(KOHYA, ss_tag_frequency=json.dumps({"tag " * 9: 1}) + " " * 9_000_000)

    assert 1 == up_of(found)
