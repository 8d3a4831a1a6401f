"""LoRA files of other tools: read into weights of ours, at scale 1.

Known are kohya's names, those of diffusers and PEFT, and the ones that diffusers' training scripts
write. Whatever is not a plain LoRA of the denoiser is refused by name, or left out with a warning
where it concerns the text encoders, which an adapter does not change.
"""

import json
import math
from collections.abc import Iterable, Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import torch

from imagic_lora.adapters.adapter import read_limited
from imagic_lora.adapters.file import check_pairs, read_metadata, read_tensors
from imagic_lora.adapters.kohya import flat_name, row_name
from imagic_lora.adapters.weights import check_fit
from imagic_lora.errors import AdapterFileError, AdapterMismatchError, warn

_ALPHA = "alpha"
_ENDINGS = {
    ".lora_down.weight": "lora_A.weight",
    ".lora_up.weight": "lora_B.weight",
    ".lora_A.weight": "lora_A.weight",
    ".lora_B.weight": "lora_B.weight",
    ".lora.down.weight": "lora_A.weight",
    ".lora.up.weight": "lora_B.weight",
    ".alpha": _ALPHA,
}
_OF_TEXT = ("lora_te", "text_encoder", "bundle_emb.")
_OTHER_METHODS = {
    "dora_scale": "DoRA, which also scales the columns of the whole weight",
    "lora_magnitude_vector": "DoRA, which also scales the columns of the whole weight",
    "hada_w": "LyCORIS LoHa, a product of two low-rank matrices",
    "lokr_w": "LyCORIS LoKr, a Kronecker product",
    "lora_mid": "LyCORIS LoCon with a core tensor between its matrices",
    "oft_": "OFT, which turns the weight instead of adding to it",
    ".diff.": "LyCORIS Full, a change of the whole weight",
    ".diff_b.": "LyCORIS Full, a change of the whole layer",
    "on_input": "LyCORIS IA3, which scales inputs or outputs",
    "w_norm": "LyCORIS with changed norms",
    ".b1.weight": "LyCORIS GLoRA, which also multiplies the weight",
}
_PEFT_SETTINGS = "lora_adapter_metadata"


def load_lora(path: str | PathLike[str], denoiser: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return the weights of a LoRA file for a denoiser, in half precision, with scale 1.

    Args:
        path: The file.
        denoiser: The module that they are for; it is not changed.

    Raises:
        AdapterFileError: When the file is missing, damaged, or no plain LoRA.
        AdapterMismatchError: When it was made for a denoiser of another shape.
    """
    paths = [path for path, module in denoiser.named_modules() if hasattr(module, "weight")]
    try:
        weights = read_lora(read_limited(Path(path)), paths)
    except AdapterFileError as error:
        raise AdapterFileError(f"The LoRA {fspath(path)!r} cannot be used: {error}") from error
    check_fit(dict(denoiser.named_modules()), weights)
    return weights


def read_lora(data: bytes, paths: Iterable[str]) -> dict[str, torch.Tensor]:
    """Return the weights of a LoRA file under our names, in half precision, with scale 1.

    Args:
        data: Content of the file.
        paths: Paths of the denoiser's layers.

    Raises:
        AdapterFileError: When the file is damaged, or no plain LoRA.
        AdapterMismatchError: When it changes a layer that the denoiser does not have.
    """
    settings = _peft_settings(read_metadata(data))
    found = _by_path(read_tensors(data), _all_names(paths))
    weights = {
        f"{path}.{part}": tensor
        for path, parts in sorted(found.items())
        for part, tensor in parts.items()
        if part != _ALPHA
    }
    check_pairs(weights)
    scales = {
        path: _scale(path, parts, settings)
        for path, parts in found.items()
        if parts.keys() != {_ALPHA}
    }
    return {name: _scaled(name, tensor, scales) for name, tensor in weights.items()}


def _all_names(paths: Iterable[str]) -> dict[str, str]:
    """Return the path of each layer under every name that a tool may give it."""
    return {
        name: path
        for path in paths
        for name in (row_name(path), flat_name(path), f"unet.{path}", path)
    }


def _by_path(
    tensors: Mapping[str, torch.Tensor], names: Mapping[str, str]
) -> dict[str, dict[str, torch.Tensor]]:
    """Return the parts of each layer's LoRA by the layer's path."""
    found: dict[str, dict[str, torch.Tensor]] = {}
    left_out = 0
    for name, tensor in tensors.items():
        _check_method(name)
        if name.startswith(_OF_TEXT):
            left_out += 1
            continue
        ending = next((ending for ending in _ENDINGS if name.endswith(ending)), None)
        if ending is None:
            raise AdapterFileError(
                f"its tensor {name!r} is no part of a LoRA as kohya's scripts, diffusers or PEFT "
                "name them."
            )
        path = names.get(name.removesuffix(ending))
        if path is None:
            raise AdapterMismatchError(
                f"The file changes the layer {name.removesuffix(ending)!r}, which this model does "
                "not have; load a base model of the kind that it was made for."
            )
        found.setdefault(path, {})[_ENDINGS[ending]] = tensor
    if left_out:
        warn(
            f"The file also has {left_out} tensors for the text encoders, which are left out: "
            "prompts will mean what they mean to the base model."
        )
    return found


def _check_method(name: str) -> None:
    """Raise for a tensor of another method than LoRA, which a LoRA cannot express exactly."""
    for part, method in _OTHER_METHODS.items():
        if part in f"{name}.":
            raise AdapterFileError(
                f"its tensor {name!r} belongs to {method}; only plain LoRA can be read, so convert "
                "it with the tool that made it."
            )


def _scale(path: str, parts: Mapping[str, torch.Tensor], settings: Mapping[str, Any]) -> float:
    """Return what the tool that wrote a layer multiplies its LoRA by."""
    rank = len(parts["lora_A.weight"])
    alpha = parts.get(_ALPHA)
    if alpha is not None:
        if alpha.numel() != 1:
            raise AdapterFileError(f"its alpha of the layer {path!r} is no single number.")
        return alpha.item() / rank
    patterns = settings.get("alpha_pattern") or {}
    endings = [word for word in patterns if _ends(path, word.removeprefix("^").removesuffix("$"))]
    found = patterns[endings[0]] if endings else settings.get("lora_alpha", rank)
    return float(found) / (math.sqrt(rank) if settings.get("use_rslora") else rank)


def _ends(path: str, ending: str) -> bool:
    """Return whether a path is, or ends with, the given names; peft would take them as a regex."""
    return path == ending or path.endswith(f".{ending}")


def _peft_settings(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that diffusers writes into the header for the denoiser, if any."""
    try:
        settings = json.loads(metadata.get(_PEFT_SETTINGS, "{}"))
        own = {name.removeprefix("unet."): value for name, value in settings.items()}
        alphas = [own.get("lora_alpha", 1), *(own.get("alpha_pattern") or {}).values()]
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise AdapterFileError(f"its header's {_PEFT_SETTINGS} is not valid ({error}).") from error
    if not all(isinstance(alpha, (int, float)) and math.isfinite(alpha) for alpha in alphas):
        raise AdapterFileError(f"its header's {_PEFT_SETTINGS} has an alpha that is no number.")
    return own


def _scaled(name: str, tensor: torch.Tensor, scales: Mapping[str, float]) -> torch.Tensor:
    """Return a tensor in half precision, the scale of its layer taken up by the second matrix."""
    path, _, which = name.removesuffix(".weight").rpartition(".")
    half = (tensor.float() * (scales[path] if which == "lora_B" else 1)).half()
    if not torch.isfinite(half).all():
        raise AdapterFileError(f"its layer {path!r} has values that half precision cannot hold.")
    return half
