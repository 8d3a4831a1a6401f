"""A pipeline as one checkpoint file in the original layout, as people share Stable Diffusion 1.x.

diffusers reads this layout and cannot write it, so the names are mapped back here: tests and the
full-size benchmark need such a file and cannot download one.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

_UNET_NAMES = {
    "time_embedding.linear_1.": "time_embed.0.",
    "time_embedding.linear_2.": "time_embed.2.",
    "conv_in.": "input_blocks.0.0.",
    "conv_norm_out.": "out.0.",
    "conv_out.": "out.2.",
}
_RESNET_NAMES = {
    ".norm1.": ".in_layers.0.",
    ".conv1.": ".in_layers.2.",
    ".norm2.": ".out_layers.0.",
    ".conv2.": ".out_layers.3.",
    ".time_emb_proj.": ".emb_layers.1.",
    ".conv_shortcut.": ".skip_connection.",
}
_VAE_NAMES = {
    "conv_norm_out": "norm_out",
    ".conv_shortcut.": ".nin_shortcut.",
    "mid_block.attentions.0.group_norm": "mid.attn_1.norm",
    "mid_block.attentions.0.to_q": "mid.attn_1.q",
    "mid_block.attentions.0.to_k": "mid.attn_1.k",
    "mid_block.attentions.0.to_v": "mid.attn_1.v",
    "mid_block.attentions.0.to_out.0": "mid.attn_1.proj_out",
    "mid_block.resnets.0": "mid.block_1",
    "mid_block.resnets.1": "mid.block_2",
    ".downsamplers.0.": ".downsample.",
    ".upsamplers.0.": ".upsample.",
    ".resnets.": ".block.",
    "down_blocks.": "down.",
}


def save_checkpoint(pipeline: Any, path: Path) -> None:
    """Write a StableDiffusionPipeline of the 1.x layout as one safetensors checkpoint.

    Args:
        pipeline: The pipeline.
        path: Where to.
    """
    parts: dict[str, tuple[Any, Callable[[str], str]]] = {
        "model.diffusion_model": (pipeline.unet, _unet_namer(pipeline.unet)),
        "first_stage_model": (pipeline.vae, vae_namer(pipeline.vae)),
        "cond_stage_model.transformer.text_model": (pipeline.text_encoder, _text_name),
    }
    tensors = {
        f"{prefix}.{rename(name)}": tensor.contiguous()
        for prefix, (module, rename) in parts.items()
        for name, tensor in module.state_dict().items()
    }
    save_file(tensors, path)


def _replace_all(name: str, table: dict[str, str]) -> str:
    for ours, theirs in table.items():
        name = name.replace(ours, theirs)
    return name


def _text_name(name: str) -> str:
    """Return the original name: some versions of transformers put a prefix before it."""
    return name.removeprefix("text_model.")


def _unet_namer(unet: Any) -> Callable[[str], str]:
    """Return the function from a UNet tensor's name to the original one."""
    layers = unet.config.layers_per_block
    with_attention = {
        index for index, block in enumerate(unet.up_blocks) if hasattr(block, "attentions")
    }

    def down(match: re.Match[str]) -> str:
        place = 0 if match[2] == "resnets" else 1
        return f"input_blocks.{int(match[1]) * (layers + 1) + int(match[3]) + 1}.{place}"

    def up(match: re.Match[str]) -> str:
        place = 0 if match[2] == "resnets" else 1
        return f"output_blocks.{int(match[1]) * (layers + 1) + int(match[3])}.{place}"

    def downsampler(match: re.Match[str]) -> str:
        return f"input_blocks.{(int(match[1]) + 1) * (layers + 1)}.0.op."

    def upsampler(match: re.Match[str]) -> str:
        place = 2 if int(match[1]) in with_attention else 1
        return f"output_blocks.{(int(match[1]) + 1) * (layers + 1) - 1}.{place}.conv."

    def rename(name: str) -> str:
        for ours, theirs in _UNET_NAMES.items():
            if name.startswith(ours):
                return name.replace(ours, theirs)
        if ".resnets." in name:
            name = _replace_all(name, _RESNET_NAMES)
        name = re.sub(r"down_blocks\.(\d+)\.(resnets|attentions)\.(\d+)", down, name)
        name = re.sub(r"up_blocks\.(\d+)\.(resnets|attentions)\.(\d+)", up, name)
        name = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0\.conv\.", downsampler, name)
        name = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0\.conv\.", upsampler, name)
        name = name.replace("mid_block.attentions.0", "middle_block.1")
        return re.sub(
            r"mid_block\.resnets\.(\d)", lambda match: f"middle_block.{2 * int(match[1])}", name
        )

    return rename


def vae_namer(vae: Any) -> Callable[[str], str]:
    """Return the function from an autoencoder tensor's name to the original one."""
    last = len(vae.config.block_out_channels) - 1

    def rename(name: str) -> str:
        name = _replace_all(name, _VAE_NAMES)
        return re.sub(r"up_blocks\.(\d+)", lambda match: f"up.{last - int(match[1])}", name)

    return rename
