"""Layers that other tools call otherwise, and hold as one where diffusers has several.

The makers of the transformers keep query, key and value of an attention in one matrix, one above
the other. A LoRA of that matrix is one of each of them, with the same way down to the rank; and of
three, the ways down one above the other are the way down of all.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

import torch

from imagic_lora.adapters.names import COMFY, ENDINGS, flat, flat_prefixes
from imagic_lora.adapters.weights import Pair

_QKV = ("to_q", "to_k", "to_v")
_ADDED = ("add_q_proj", "add_k_proj", "add_v_proj")


def _of(block: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{block}.{name}" for name in names)


_LAYERS: Mapping[str, tuple[tuple[str, str, Mapping[str, tuple[str, ...]]], ...]] = {
    "bfl": (
        (
            r"transformer_blocks\.(\d+)",
            r"double_blocks.\1",
            {
                "img_attn.qkv": _of("attn", _QKV),
                "img_attn.proj": ("attn.to_out.0",),
                "txt_attn.qkv": _of("attn", _ADDED),
                "txt_attn.proj": ("attn.to_add_out",),
                "img_mlp.0": ("ff.linear_in",),
                "img_mlp.2": ("ff.linear_out",),
                "txt_mlp.0": ("ff_context.linear_in",),
                "txt_mlp.2": ("ff_context.linear_out",),
            },
        ),
        (
            r"single_transformer_blocks\.(\d+)",
            r"single_blocks.\1",
            {"linear1": ("attn.to_qkv_mlp_proj",), "linear2": ("attn.to_out",)},
        ),
    ),
    "sai": (
        (
            r"transformer_blocks\.(\d+)",
            r"joint_blocks.\1",
            {
                "x_block.attn.qkv": _of("attn", _QKV),
                "x_block.attn.proj": ("attn.to_out.0",),
                "x_block.attn2.qkv": _of("attn2", _QKV),
                "x_block.attn2.proj": ("attn2.to_out.0",),
                "x_block.mlp.fc1": ("ff.net.0.proj",),
                "x_block.mlp.fc2": ("ff.net.2",),
                "context_block.attn.qkv": _of("attn", _ADDED),
                "context_block.attn.proj": ("attn.to_add_out",),
                "context_block.mlp.fc1": ("ff_context.net.0.proj",),
                "context_block.mlp.fc2": ("ff_context.net.2",),
            },
        ),
    ),
    "tongyi": (
        (
            r"((?:layers|noise_refiner|context_refiner)\.\d+)",
            r"\1",
            {
                "attention.qkv": _of("attention", _QKV),
                "attention.out": ("attention.to_out.0",),
                **{f"feed_forward.w{n}": (f"feed_forward.w{n}",) for n in (1, 2, 3)},
            },
        ),
    ),
}
"""For each maker: a block's path in diffusers, its own name for that, and its layers in there, each
with the layers of diffusers that it is."""


def groups(paths: Iterable[str], maker: str) -> dict[str, tuple[str, ...]]:
    """Return a maker's names for layers, each with the paths in diffusers that it stands for.

    Args:
        paths: Paths in diffusers' denoiser; others of the same group are given too.
        maker: Whose names, a key of the families' `kohya`.
    """
    found = {}
    for path in paths:
        for pattern, block, layers in _LAYERS.get(maker, ()):
            if matched := re.match(rf"{pattern}\.", path):
                before, after = matched[0], matched.expand(block)
                for name, inner in layers.items():
                    if path.removeprefix(before) in inner:
                        found[f"{after}.{name}"] = _of(before[:-1], inner)
    return found


def joined(pairs: Mapping[str, Pair], maker: str) -> Iterator[tuple[str, Pair]]:
    """Yield the LoRA of a denoiser by a maker's names, exactly what its parts are together.

    Args:
        pairs: The matrices by the layer's path in diffusers.
        maker: Whose names.
    """
    for name, paths in groups(pairs, maker).items():
        parts = [pairs.get(path) for path in paths]
        there = [part for part in parts if part is not None]
        out = len(there[0].up)
        ups = [torch.zeros(out, 0).half() if part is None else part.up for part in parts]
        up: torch.Tensor = torch.block_diag(*ups)  # type: ignore[no-untyped-call]
        yield name, Pair(torch.cat([part.down for part in there]), up)


def separated(tensors: Mapping[str, torch.Tensor], paths: Iterable[str]) -> dict[str, torch.Tensor]:
    """Return the tensors of a LoRA file by diffusers' names, each matrix of several cut into them.

    Args:
        tensors: The tensors by their names in the file; names of other kinds stay.
        paths: Paths of the denoiser's layers.
    """
    known = list(paths)
    named = {
        spelling: inner
        for maker in _LAYERS
        for name, inner in groups(known, maker).items()
        for spelling in _spellings(name)
    }
    found: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        ending = next((ending for ending in ENDINGS if name.endswith(ending)), "")
        inner = named.get(name.removesuffix(ending), ()) if ending else ()
        cut = ENDINGS.get(ending) == "up" and len(inner) > 1
        copies = (tensor.clone() for _ in inner[1:])  # each layer's may be changed in its place
        parts = tensor.chunk(len(inner)) if cut else (tensor, *copies)
        found |= {path + ending: part for path, part in zip(inner, parts, strict=False)}
        if not inner:
            found[name] = tensor
    return found


def _spellings(name: str) -> Iterator[str]:
    """Yield the ways in which files write a maker's name for a layer."""
    yield name
    yield from (prefix + name for prefix in COMFY)
    yield from (prefix + flat(name) for prefix in flat_prefixes())
