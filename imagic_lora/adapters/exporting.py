"""An adapter as the LoRA file of other tools: the weights alone, without embedding and latents.

"kohya" is what ComfyUI, A1111, Forge and SD.Next read; "diffusers" is what diffusers and PEFT read.
Both say their scale, though it is 1 throughout: readers differ in what they take for granted.
"""

import json
from collections.abc import Iterator
from os import PathLike
from typing import Literal, get_args

import torch

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.adapters.file import write_tensors
from imagic_lora.adapters.fused import joined
from imagic_lora.adapters.names import flat, kohya_name
from imagic_lora.adapters.weights import Pair, Weights
from imagic_lora.errors import SettingsError, near_match
from imagic_lora.files import write_atomic
from imagic_lora.models.families import find_family
from imagic_lora.models.family import Family

Tool = Literal["diffusers", "kohya"]


def export_lora(
    adapter: Adapter, path: str | PathLike[str], tool: Tool, *, force: bool = False
) -> None:
    """Write an adapter's LoRA in the format of other tools.

    Their prompts are words, so the learned embedding stays behind: there the adapter works with
    plain prompts, and recalls the image less closely than here.

    Args:
        adapter: The adapter.
        path: The safetensors file to write.
        tool: "kohya" for ComfyUI, A1111, Forge and SD.Next; "diffusers" for diffusers and PEFT.
        force: Replace a file that exists.

    Raises:
        SettingsError: When there is no such tool.
        OutputError: When it cannot be written, or exists and force is False.
    """
    write_atomic(path, lora_bytes(adapter, tool), force=force)


def lora_bytes(adapter: Adapter, tool: Tool) -> bytes:
    """Return what `export_lora` writes.

    Args:
        adapter: The adapter.
        tool: "kohya" or "diffusers".

    Raises:
        SettingsError: When there is no such tool.
    """
    if tool not in get_args(Tool):
        raise SettingsError(
            f"tool was {tool!r}, allowed is one of {', '.join(get_args(Tool))}."
            + near_match(str(tool), get_args(Tool))
        )
    return _kohya_file(adapter) if tool == "kohya" else _diffusers_file(adapter)


def _kohya_file(adapter: Adapter) -> bytes:
    """Return the adapter's LoRA as kohya's scripts write it: an alpha beside each pair."""
    tensors, family = {}, find_family(adapter.record.family)
    for name, pair in _kohya_pairs(adapter.lora, family):
        tensors[f"{name}.lora_down.weight"] = pair.down
        tensors[f"{name}.lora_up.weight"] = pair.up
        tensors[f"{name}.alpha"] = torch.tensor(pair.rank, dtype=torch.float16)
    return write_tensors(tensors, adapter.shown())


def _kohya_pairs(lora: Weights, family: Family) -> Iterator[tuple[str, Pair]]:
    """Yield each layer's name in kohya's scripts with its matrices."""
    made = dict(joined(lora.pairs, family.kohya))
    yield from ((family.kohya_prefix + flat(name), pair) for name, pair in made.items())
    if not made:
        yield from ((kohya_name(path, family), pair) for path, pair in lora.pairs.items())


def _diffusers_file(adapter: Adapter) -> bytes:
    """Return the adapter's LoRA as diffusers writes it: the alphas in the header.

    Settings that are peft's defaults are left out, since a reader older than a setting refuses it.
    """
    ranks, prefix = adapter.ranks(), find_family(adapter.record.family).prefix
    smaller = {path: rank for path, rank in ranks.items() if rank != adapter.rank}
    settings = {
        "r": adapter.rank,
        "lora_alpha": adapter.rank,
        "target_modules": list(ranks),
        "rank_pattern": smaller,
        "alpha_pattern": smaller,
    }
    prefixed = {prefix + name: value for name, value in settings.items()}
    metadata = {"lora_adapter_metadata": json.dumps(prefixed, sort_keys=True)}
    return write_tensors(adapter.lora.named(prefix), adapter.shown() | metadata)
