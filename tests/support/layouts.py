"""Transformers in one file as their makers publish them: diffusers reads these layouts, and writes none.

Written out from the makers' own code, so that nothing here comes from what reads such files.
"""

import re
from collections.abc import Mapping
from typing import Any

import torch

from benchmarks.checkpoint import vae_namer

Tensors = dict[str, torch.Tensor]

_BLACK_FOREST = {  # github.com/black-forest-labs/flux2
    r"^x_embedder": "img_in",
    r"^context_embedder": "txt_in",
    r"^time_guidance_embed\.timestep_embedder\.linear_1": "time_in.in_layer",
    r"^time_guidance_embed\.timestep_embedder\.linear_2": "time_in.out_layer",
    r"(stream_modulation\w*)\.linear": r"\1.lin",
    r"^norm_out\.linear": "final_layer.adaLN_modulation.1",
    r"^proj_out": "final_layer.linear",
    r"^single_transformer_blocks\.(\d+)": r"single_blocks.\1",
    r"^transformer_blocks\.(\d+)": r"double_blocks.\1",
    r"attn\.to_qkv_mlp_proj": "linear1",
    r"(single_blocks\.\d+)\.attn\.to_out": r"\1.linear2",
    r"(single_blocks\.\d+)\.attn\.norm_q\.weight": r"\1.norm.query_norm.scale",
    r"(single_blocks\.\d+)\.attn\.norm_k\.weight": r"\1.norm.key_norm.scale",
    r"attn\.norm_q\.weight": "img_attn.norm.query_norm.scale",
    r"attn\.norm_k\.weight": "img_attn.norm.key_norm.scale",
    r"attn\.norm_added_q\.weight": "txt_attn.norm.query_norm.scale",
    r"attn\.norm_added_k\.weight": "txt_attn.norm.key_norm.scale",
    r"attn\.to_out\.0": "img_attn.proj",
    r"attn\.to_add_out": "txt_attn.proj",
    r"ff\.linear_in": "img_mlp.0",
    r"ff\.linear_out": "img_mlp.2",
    r"ff_context\.linear_in": "txt_mlp.0",
    r"ff_context\.linear_out": "txt_mlp.2",
    r"attn\.to_([qkv])\.": r"img_attn.qkv.\1.",
    r"attn\.add_([qkv])_proj\.": r"txt_attn.qkv.\1.",
}
_TONGYI = {  # github.com/Tongyi-MAI/Z-Image
    r"^all_final_layer\.2-1": "final_layer",
    r"^all_x_embedder\.2-1": "x_embedder",
    r"attention\.to_out\.0": "attention.out",
    r"attention\.norm_([qk])": r"attention.\1_norm",
    r"attention\.to_([qkv])\.": r"attention.qkv.\1.",
}
_STABILITY = {  # github.com/Stability-AI/sd3.5
    r"^pos_embed\.pos_embed": "pos_embed",
    r"^pos_embed\.proj": "x_embedder.proj",
    r"^time_text_embed\.timestep_embedder\.linear_1": "t_embedder.mlp.0",
    r"^time_text_embed\.timestep_embedder\.linear_2": "t_embedder.mlp.2",
    r"^time_text_embed\.text_embedder\.linear_1": "y_embedder.mlp.0",
    r"^time_text_embed\.text_embedder\.linear_2": "y_embedder.mlp.2",
    r"^norm_out\.linear": "final_layer.adaLN_modulation.1",
    r"^proj_out": "final_layer.linear",
    r"^transformer_blocks\.(\d+)": r"joint_blocks.\1",
    r"norm1_context\.linear": "context_block.adaLN_modulation.1",
    r"norm1\.linear": "x_block.adaLN_modulation.1",
    r"ff_context\.net\.0\.proj": "context_block.mlp.fc1",
    r"ff_context\.net\.2": "context_block.mlp.fc2",
    r"ff\.net\.0\.proj": "x_block.mlp.fc1",
    r"ff\.net\.2": "x_block.mlp.fc2",
    r"\.attn\.norm_added_([qk])": r".context_block.attn.ln_\1",
    r"\.attn(2?)\.norm_([qk])": r".x_block.attn\1.ln_\2",
    r"\.attn\.to_add_out": ".context_block.attn.proj",
    r"\.attn(2?)\.to_out\.0": r".x_block.attn\1.proj",
    r"\.attn\.add_([qkv])_proj\.": r".context_block.attn.qkv.\1.",
    r"\.attn(2?)\.to_([qkv])\.": r".x_block.attn\1.qkv.\2.",
}
_LAYOUTS: Mapping[str, Mapping[str, str]] = {
    "flux2": _BLACK_FOREST,
    "zimage": _TONGYI,
    "sd3": _STABILITY,
}


def as_published(kind: str, transformer: Any) -> Tensors:
    """Return a transformer's weights as its maker publishes them, without a prefix.

    Args:
        kind: Family of the model.
        transformer: The transformer.
    """
    renamed = {}
    for name, tensor in transformer.state_dict().items():
        for ours, theirs in _LAYOUTS[kind].items():
            name = re.sub(ours, theirs, name)  # noqa: PLW2901  one after another
        renamed[name] = tensor.clone()
    joined = _joined(renamed)
    if kind == "zimage":
        return joined
    # The makers' last layer gives the shift first, and diffusers' the scale.
    last = f"joint_blocks.{len(transformer.transformer_blocks) - 1}.context_block"
    for name in joined:
        if name.startswith(("final_layer.adaLN", f"{last}.adaLN")):
            first, second = joined[name].chunk(2)
            joined[name] = torch.cat([second, first])
    return joined


def _joined(tensors: Tensors) -> Tensors:
    """Return tensors where queries, keys and values of an attention are one."""
    single = {name: each for name, each in tensors.items() if ".qkv." not in name}
    for name in tensors:
        if ".qkv.q." in name:
            parts = [tensors[name.replace(".qkv.q.", f".qkv.{each}.")] for each in "qkv"]
            single[name.replace(".qkv.q.", ".qkv.")] = torch.cat(parts)
    return single


def with_text_encoders(pipeline: Any, *, long: bool) -> Tensors:
    """Return a Stable Diffusion 3.5 in one file as ComfyUI's authors publish it.

    Args:
        pipeline: A StableDiffusion3Pipeline.
        long: Whether T5 is in the file, too.
    """
    name = vae_namer(pipeline.vae)
    found = {
        f"model.diffusion_model.{key}": each
        for key, each in as_published("sd3", pipeline.transformer).items()
    }
    found |= {
        f"first_stage_model.{name(key)}": each for key, each in pipeline.vae.state_dict().items()
    }
    encoders = {"clip_l": pipeline.text_encoder, "clip_g": pipeline.text_encoder_2}
    if long:
        encoders["t5xxl"] = pipeline.text_encoder_3
    for part, module in encoders.items():
        # The table of words is there once, and what CLIP-L's projection is, nobody has to be told.
        spared = ("embed_tokens.weight", "text_projection.weight" if part == "clip_l" else "-")
        found |= {
            f"text_encoders.{part}.transformer.{key}": each.clone()
            for key, each in module.state_dict().items()
            if not key.endswith(spared)
        }
    found["text_encoders.clip_l.logit_scale"] = torch.tensor(4.6)
    return found


def scaled(tensors: Tensors, names: tuple[str, str, str]) -> tuple[Tensors, Tensors]:
    """Return tensors with their matrices in scaled 8-bit floats, and what these stand for.

    Args:
        tensors: The tensors.
        names: Last words of the names of a weight's scale and of its inputs', and of a note.
    """
    of_weight, of_input, note = names
    stored, meant = {note: torch.zeros(2).to(torch.float8_e4m3fn)}, {}
    for key, each in tensors.items():
        if not key.endswith(".weight") or each.dim() != 2:
            stored[key] = meant[key] = each
            continue
        layer, scale = key.removesuffix("weight"), each.abs().max() / 448
        stored[key] = (each / scale).to(torch.float8_e4m3fn)
        stored[layer + of_weight], stored[layer + of_input] = scale, torch.ones(())
        meant[key] = stored[key].float() * scale
    return stored, meant
