"""LoRA files of other tools: read into weights of ours, at scale 1.

Known are kohya's names, those of diffusers, PEFT, ComfyUI and LyCORIS, and the ones that diffusers'
training scripts write and wrote. Whatever is not a plain LoRA of the denoiser is refused by name, or
left out with a warning where it concerns the text encoders, which an adapter does not change.
"""

from collections.abc import Iterable, Mapping
from os import PathLike, fspath
from pathlib import Path

import torch

from imagic_lora.adapters.file import read_limited, read_tensors
from imagic_lora.adapters.fused import separated
from imagic_lora.adapters.header import find_text, read_object
from imagic_lora.adapters.names import (
    ENDINGS,
    PEFT,
    known_prefixes,
    spellings,
    without_adapter,
    without_denoiser,
)
from imagic_lora.adapters.scales import Scales, check_alpha, read_scales
from imagic_lora.adapters.weights import Pair, Weights, weight_shape
from imagic_lora.errors import AdapterFileError, AdapterMismatchError, quoted, warn

_OF_TEXT = (
    "lora_te",
    "lycoris_te",
    "text_encoder",
    "text_model.",
    "base_model.model.text_",
    "te.",
    "te1.",
    "te2.",
    "clip_l.",
    "clip_g.",
    "cond_stage_model.",
    "conditioner.",
    "bundle_emb.",
)
"""How names begin of what changes the text encoders, or adds words to them."""

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
_IN_HEADER = "lora_adapter_metadata"
"""Where diffusers writes the settings of PEFT."""

_PEFT_FILE, _BESIDE = "adapter_model.safetensors", "adapter_config.json"
"""The two files that PEFT saves."""

Parts = dict[str, torch.Tensor]
"""What a file has of one layer's LoRA: "down", "up" and perhaps "alpha"."""


def load_lora(path: str | PathLike[str], denoiser: torch.nn.Module) -> Weights:
    """Return the weights of a LoRA file for a denoiser, in half precision, with scale 1.

    Args:
        path: The file, or the folder in which PEFT or diffusers saved it; the settings that PEFT
            saves beside its own are read too.
        denoiser: The module that they are for; it is not changed.

    Raises:
        AdapterFileError: When the file is missing, damaged, or no plain LoRA.
        AdapterMismatchError: When it was made for a denoiser of another shape.
    """
    layers, file = dict(denoiser.named_modules()), _in_folder(Path(path))
    try:
        beside = file.with_name(_BESIDE) if file.name == _PEFT_FILE else None
        settings = read_limited(beside) if beside is not None and beside.exists() else b""
        paths = [path for path, module in layers.items() if hasattr(module, "weight")]
        weights = read_lora(read_limited(file), paths, settings)
    except AdapterFileError as error:
        raise AdapterFileError(
            f"The LoRA {quoted(fspath(path))} cannot be used: {error}"
        ) from error
    weights = Weights.of(
        {path: _like(pair, layers.get(path)) for path, pair in weights.pairs.items()}
    )
    weights.check_fit(layers)
    return weights


def _in_folder(path: Path) -> Path:
    """Return the file in a folder as PEFT or diffusers names it; any other path as it is."""
    names = (_PEFT_FILE, "pytorch_lora_weights.safetensors")
    return next((path / name for name in names if (path / name).exists()), path)


def _like(pair: Pair, layer: torch.nn.Module | None) -> Pair:
    """Return a pair in the layer's own shape: 1 x 1 convolutions and linear layers are the same."""
    dimensions = len(weight_shape(layer))
    if dimensions == 2 and pair.down.shape[2:] == (1, 1):
        return Pair(pair.down.flatten(1), pair.up.flatten(1))
    if dimensions == 4 and pair.down.dim() == 2:
        return Pair(pair.down[..., None, None], pair.up[..., None, None])
    return pair


def read_lora(data: bytes, paths: Iterable[str], beside: bytes = b"") -> Weights:
    """Return the weights of a LoRA file under our names, in half precision, with scale 1.

    Args:
        data: Content of the file.
        paths: Paths of the denoiser's layers.
        beside: Content of the file of settings that PEFT saved beside it, if it did.

    Raises:
        AdapterFileError: When the file is damaged, or no plain LoRA.
        AdapterMismatchError: When it changes a layer that the denoiser does not have.
    """
    scales = _scales(find_text(data, _IN_HEADER), beside)
    layers = list(paths)
    tensors = separated(read_tensors(data), layers)
    if scales is None and _lacks_settings(tensors):
        raise AdapterFileError(
            f"its alphas are in PEFT's {_BESIDE!r}, which does not lie beside it; put both files "
            f"into one folder, this one as {_PEFT_FILE!r}."
        )
    found = _by_path(tensors, {name: path for path in layers for name in spellings(path)})
    del tensors  # so that each layer's are gone once they are in half precision
    pairs = {}
    for path in sorted(found):
        if (pair := _pair(path, found.pop(path), scales or Scales())) is not None:
            pairs[path] = pair
    return Weights.of(pairs)


def _by_path(tensors: Mapping[str, torch.Tensor], names: Mapping[str, str]) -> dict[str, Parts]:
    """Return the parts of each layer's LoRA by the layer's path."""
    found: dict[str, Parts] = {}
    called: dict[str, str] = {}
    left_out = 0
    for name, tensor in tensors.items():
        _check_method(name)
        if name.startswith(_OF_TEXT):
            left_out += 1
            continue
        plain = without_adapter(name)
        ending = next((ending for ending in ENDINGS if plain.endswith(ending)), None)
        if ending is None:
            raise AdapterFileError(
                f"its tensor {quoted(name)} is no part of a LoRA as kohya's scripts, diffusers or "
                "PEFT name them."
            )
        layer, part = plain.removesuffix(ending), ENDINGS[ending]
        path = names.get(layer)
        if path is None:
            raise _unknown(layer)
        if called.setdefault(path, layer) != layer or part in found.get(path, {}):
            raise AdapterFileError(
                f"its layer {path!r} is there under two names; which of them counts cannot be told."
            )
        found.setdefault(path, {})[part] = tensor
    if left_out:
        warn(
            f"The file also has {left_out} tensors for the text encoders, which are left out: "
            "prompts will mean what they mean to the base model."
        )
    return found


def _unknown(layer: str) -> AdapterFileError | AdapterMismatchError:
    """Return the error for a layer that the model lacks, or that has a name of an unknown kind."""
    if layer.startswith(known_prefixes()):
        return AdapterMismatchError(
            f"The file changes the layer {quoted(layer)}, which this model does not have; load a "
            "base model of the kind that it was made for."
        )
    return AdapterFileError(
        f"its layer {quoted(layer)} is none of this model's, and its name begins with none of "
        f"{', '.join(known_prefixes())}; convert it with the tool that made it."
    )


def _check_method(name: str) -> None:
    """Raise for a tensor of another method than LoRA, which a LoRA cannot express exactly."""
    for part, method in _OTHER_METHODS.items():
        if part in f"{name}.":
            raise AdapterFileError(
                f"its tensor {quoted(name)} belongs to {method}; only plain LoRA can be read, so "
                "convert it with the tool that made it."
            )


def _scales(stated: str | None, beside: bytes) -> Scales | None:
    """Return the scales in the header or in the file beside; None where neither says any."""
    if stated is not None:
        settings = read_object(f"header's {_IN_HEADER}", stated)
        own = {
            without_denoiser(name): value
            for name, value in settings.items()
            if not name.startswith(_OF_TEXT)
        }
        return read_scales(f"header's {_IN_HEADER}", own)
    return read_scales(_BESIDE, read_object(_BESIDE, beside)) if beside else None


def _lacks_settings(tensors: Mapping[str, torch.Tensor]) -> bool:
    """Return whether PEFT saved the tensors itself, which does not write alphas among them."""
    return any(PEFT in name for name in tensors) and not any(
        name.endswith(".alpha") for name in tensors
    )


def _pair(path: str, parts: Parts, scales: Scales) -> Pair | None:
    """Return the matrices of a layer, at scale 1; None where there is but an alpha."""
    alpha = parts.pop("alpha", None)
    if len(parts) == 1:
        raise AdapterFileError(f"its layer {path!r} has no partner.")
    if not parts:
        return None
    pair = Weights.of({path: Pair(parts["down"], parts["up"])}).pairs[path]  # which match
    scale = scales.of(path, pair.rank) if alpha is None else _of_alpha(path, alpha, pair.rank)
    return Pair(_half(path, pair.down, 1), _half(path, pair.up, scale))


def _of_alpha(path: str, alpha: torch.Tensor, rank: int) -> float:
    """Return what the tool that wrote an alpha multiplies its layer's LoRA by."""
    if alpha.numel() != 1:
        raise AdapterFileError(f"its alpha of the layer {path!r} is no single number.")
    try:
        return check_alpha(alpha.item()) / rank
    except AdapterFileError as error:
        raise AdapterFileError(f"its layer {path!r} cannot be used: {error}.") from error


def _half(path: str, tensor: torch.Tensor, scale: float) -> torch.Tensor:
    """Return a tensor times a scale in half precision, in its own place where it has the room."""
    if not tensor.is_floating_point():
        raise AdapterFileError(f"its layer {path!r} is {tensor.dtype}, allowed are floats.")
    whole = tensor.to(torch.float32, copy=True)
    empty = not whole.any()
    own = tensor.element_size() == torch.float16.itemsize
    half = tensor.view(torch.float16) if own else torch.empty_like(tensor, dtype=torch.float16)
    half.copy_(whole.mul_(scale))
    if not torch.isfinite(half).all() or not (empty or half.any()):
        raise AdapterFileError(f"its layer {path!r} has values that half precision cannot hold.")
    return half
