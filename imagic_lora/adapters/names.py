"""The names that other tools give a denoiser's layers in LoRA files.

Kohya's scripts, whose files ComfyUI, A1111, Forge and SD.Next read, have diffusers' paths for Stable
Diffusion 1 and 2; for XL those of Stability AI's own code, which counts the layers of all blocks in
one row, as ComfyUI does for all.
"""

import re
from collections.abc import Iterator

from imagic_lora.models.families import FAMILIES
from imagic_lora.models.family import Family

PEFT = "base_model.model."
"""What PEFT puts before a path in the files that it saves itself."""

_LYCORIS = "lycoris_"
COMFY = ("diffusion_model.", "model.diffusion_model.")
"""What ComfyUI puts before a path."""

_ADAPTER = re.compile(r"(\.lora_[AB])\.\w+\.weight")
"""The adapter's own name, which PEFT puts within those of its tensors while it is at work."""

ENDINGS = {
    ".lora_down.weight": "down",
    ".lora_up.weight": "up",
    ".lora_A.weight": "down",
    ".lora_B.weight": "up",
    ".lora.down.weight": "down",
    ".lora.up.weight": "up",
    ".down.weight": "down",
    ".up.weight": "up",
    ".alpha": "alpha",
}
"""What follows a layer's name, and which part of its LoRA that is; longer endings come first."""

_ROW = 3
"""Entries of a block in the row: two layers, and a change of size or one layer more."""

_INNER = {"resnets": 0, "attentions": 1}
_RESNET_LAYERS = {
    "conv1": "in_layers.2",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
_OUTSIDE_BLOCKS = {
    "conv_in": "input_blocks.0.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}
_IN_BLOCK = re.compile(r"(down|up)_blocks\.(\d+)\.(resnets|attentions)\.(\d+)\.(.+)")
_IN_MIDDLE = re.compile(r"mid_block\.(resnets|attentions)\.(\d+)\.(.+)")
_RESIZE = re.compile(r"(down|up)_blocks\.(\d+)\.(?:down|up)samplers\.0\.conv")


def known_prefixes() -> tuple[str, ...]:
    """Return what a layer's name may begin with, of any kind of model."""
    dotted = dict.fromkeys((*_dotted_prefixes(), PEFT, *COMFY, "transformer."))
    return (*dotted, *flat_prefixes())


def _dotted_prefixes() -> tuple[str, ...]:
    return tuple(dict.fromkeys(family.prefix for family in FAMILIES.values()))


def flat_prefixes() -> tuple[str, ...]:
    """Return what names of layers begin with that have underscores in the place of dots."""
    return (*dict.fromkeys(family.kohya_prefix for family in FAMILIES.values()), _LYCORIS)


def kohya_name(path: str, family: Family) -> str:
    """Return a layer's name in the files of kohya's scripts.

    Args:
        path: The layer's path in diffusers' denoiser.
        family: The family of the model.
    """
    return family.kohya_prefix + flat(_row_path(path) if family.kohya == "row" else path)


def spellings(path: str) -> Iterator[str]:
    """Yield every name that a tool may give a layer.

    Args:
        path: The layer's path in diffusers' denoiser.
    """
    for name in (path, _row_path(path)):
        yield from (prefix + name for prefix in COMFY)
        yield from (prefix + flat(name) for prefix in flat_prefixes())
    for name in (path, *_of_processor(path)):
        yield from (name, PEFT + name)
        for prefix in _dotted_prefixes():
            yield from (prefix + name, prefix + PEFT + name, PEFT + prefix + name)


def without_adapter(name: str) -> str:
    """Return a tensor's name without that of its adapter, such as "default".

    Args:
        name: Name of the tensor.
    """
    return _ADAPTER.sub(r"\1.weight", name)


def without_denoiser(name: str) -> str:
    """Return a name without the word for the denoiser that diffusers puts before it.

    Args:
        name: Name of a tensor, or of a setting.
    """
    prefix = next((prefix for prefix in _dotted_prefixes() if name.startswith(prefix)), "")
    return name.removeprefix(prefix)


def flat(path: str) -> str:
    """Return a path with underscores in the place of dots."""
    return path.replace(".", "_")


def _of_processor(path: str) -> Iterator[str]:
    """Yield the name that diffusers' training scripts gave an attention's layer until 2023."""
    block, _, last = path.rpartition(".to_")
    if block.endswith((".attn1", ".attn2")):
        yield f"{block}.processor.to_{last.partition('.')[0]}_lora"


def _row_path(path: str) -> str:
    """Return a layer's path in Stability AI's own UNet."""
    if found := _IN_BLOCK.fullmatch(path):
        way, block, inner, layer, rest = found.groups()
        place = int(block) * _ROW + int(layer)
        row = f"input_blocks.{place + 1}" if way == "down" else f"output_blocks.{place}"
        return f"{row}.{_INNER[inner]}.{_rest(inner, rest)}"
    if found := _IN_MIDDLE.fullmatch(path):
        inner, layer, rest = found.groups()
        return f"middle_block.{2 * int(layer) + _INNER[inner]}.{_rest(inner, rest)}"
    if found := _RESIZE.fullmatch(path):
        way, last = found[1], int(found[2]) * _ROW + _ROW
        return f"input_blocks.{last}.0.op" if way == "down" else f"output_blocks.{last - 1}.2.conv"
    return _OUTSIDE_BLOCKS.get(path, path)


def _rest(inner: str, rest: str) -> str:
    """Return what follows a layer's place in the row."""
    return _RESNET_LAYERS.get(rest, rest) if inner == "resnets" else rest
