"""The adapter file, as bytes: docs/file-format.md is the specification.

A safetensors file with the LoRA under diffusers' names, our own tensors under names that contain
"lora" (diffusers refuses any other), and one JSON object of ours in the header. Whatever is read is
checked here, and nothing in a file can run code.
"""

import hashlib
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError

from imagic_lora.errors import AdapterFileError

FORMAT = 1
"""Version of the file format; a file of another version is refused."""

TOKENS = "imagic_lora.conditioning.tokens"
POOLED = "imagic_lora.conditioning.pooled"
LATENTS = "imagic_lora.latents"
LORA_PREFIX = "unet."

_DIMENSIONS = {TOKENS: 3, POOLED: 2, LATENTS: 4}
_HEADER = "imagic_lora"
_HASH = "modelspec.hash_sha256"
_MAX_HEADER_BYTES = 8 << 20


def encode(
    tensors: Mapping[str, torch.Tensor],
    record: Mapping[str, Any],
    shown: Mapping[str, str] = MappingProxyType({}),
) -> bytes:
    """Return the bytes of a file; the same content gives the same bytes.

    Args:
        tensors: Half-precision tensors by name.
        record: Plain values for our own object in the header.
        shown: What other tools show of the file, by their names for it.
    """
    header = json.dumps({"format": FORMAT, **record}, sort_keys=True)
    return write_tensors(tensors, {**shown, _HEADER: header})


def write_tensors(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> bytes:
    """Return the bytes of a safetensors file that depend on its content alone.

    Args:
        tensors: The tensors by name.
        metadata: Texts for the header, to which the hash of the tensors is added.
    """
    # Copies, since safetensors refuses tensors that share memory.
    own = {
        name: tensors[name].clone(memory_format=torch.contiguous_format) for name in sorted(tensors)
    }
    data = safetensors.torch.save(own, {"format": "pt", **metadata})
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"][_HASH] = _hash(data[8 + size :])
    # Sorted, since safetensors' own order varies.
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def _hash(tensors: bytes) -> str:
    """Return the hash of what follows the header, as other tools write it."""
    return "0x" + hashlib.sha256(tensors).hexdigest()


def decode(data: bytes) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Return the tensors and the header's record of a file.

    Args:
        data: Content of an adapter file.

    Raises:
        AdapterFileError: When it is truncated, foreign, hostile or of another version.
    """
    metadata = read_metadata(data)
    record = _read_record(metadata)
    tensors = read_tensors(data)
    _check_tensors(tensors)
    size = int.from_bytes(data[:8], "little")
    if metadata.get(_HASH, found := _hash(data[8 + size :])) != found:
        raise AdapterFileError(
            "its tensors do not have the hash that its header gives; it was damaged or changed."
        )
    return tensors, record


def read_tensors(data: bytes) -> dict[str, torch.Tensor]:
    """Return the tensors of a safetensors file.

    Raises:
        AdapterFileError: When it is truncated or damaged.
    """
    try:
        return safetensors.torch.load(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise AdapterFileError(f"it is not a whole safetensors file ({error}).") from error


def read_metadata(data: bytes) -> dict[str, Any]:
    """Return the texts in the header of a safetensors file.

    Raises:
        AdapterFileError: When it has no header that can be read.
    """
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > min(len(data) - 8, _MAX_HEADER_BYTES):
        raise AdapterFileError(
            "it is truncated, or no safetensors file at all (pickles are never loaded)."
        )
    try:
        return dict(json.loads(data[8 : 8 + size]).get("__metadata__", {}))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise AdapterFileError(f"its header is not valid ({error}).") from error


def _read_record(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return our own JSON object, after a check of its version."""
    try:
        record: dict[str, Any] = dict(
            json.loads(metadata[_HEADER], parse_constant=_refuse_constant)
        )
        version = record["format"]
    except KeyError as error:
        raise AdapterFileError(
            "it has no imagic_lora header, so it was made by another tool or for another purpose."
        ) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise AdapterFileError(f"its header is not valid ({error}).") from error
    if not isinstance(version, int) or isinstance(version, bool) or version != FORMAT:
        raise AdapterFileError(
            f"it has format version {version!r}, this version of imagic_lora reads {FORMAT}; "
            "install a newer one if the number is larger."
        )
    return record


def _refuse_constant(word: str) -> float:
    raise ValueError(f"{word} is not a number")


def _check_tensors(tensors: Mapping[str, torch.Tensor]) -> None:
    """Raise unless the tensors are those of an adapter: names, pairs, shapes, finite values."""
    for name, tensor in tensors.items():
        if tensor.dtype != torch.float16:
            raise AdapterFileError(f"its tensor {name!r} is {tensor.dtype}, allowed is float16.")
    names = {name for name in tensors if not name.startswith(LORA_PREFIX)}
    if not {TOKENS, LATENTS} <= names <= {TOKENS, LATENTS, POOLED}:
        raise AdapterFileError(
            f"its tensors beside the LoRA are {sorted(names)}, expected are {TOKENS!r}, "
            f"{LATENTS!r} and for some families {POOLED!r}."
        )
    for name in names:
        shape = tuple(tensors[name].shape)
        if len(shape) != _DIMENSIONS[name] or shape[0] != 1 or 0 in shape:
            raise AdapterFileError(f"its tensor {name!r} has the shape {shape}.")
    check_pairs({name: t for name, t in tensors.items() if name.startswith(LORA_PREFIX)})
    # All in one call first: a thousand calls would take longer than everything else together.
    if not torch.isfinite(torch.cat([tensor.flatten() for tensor in tensors.values()])).all():
        name = next(name for name, tensor in tensors.items() if not torch.isfinite(tensor).all())
        raise AdapterFileError(f"its tensor {name!r} has values that are not finite.")


def check_pairs(lora: Mapping[str, torch.Tensor]) -> None:
    """Raise unless there are LoRA tensors and every one has a partner of the same rank.

    Args:
        lora: Tensors by name.

    Raises:
        AdapterFileError: When a partner is missing or does not match.
    """
    if not lora:
        raise AdapterFileError("it has no LoRA weights.")
    for name, tensor in lora.items():
        down = lora.get(name.replace(".lora_B.", ".lora_A."))
        up = lora.get(name.replace(".lora_A.", ".lora_B."))
        if down is None or up is None or not name.endswith((".lora_A.weight", ".lora_B.weight")):
            raise AdapterFileError(f"its tensor {name!r} has no partner, or is no LoRA weight.")
        ranks_agree = down.dim() in (2, 4) and down.dim() == up.dim()
        if not ranks_agree or down.shape[0] != up.shape[1] or 0 in tensor.shape:
            raise AdapterFileError(
                f"its tensor {name!r} has the shape {tuple(tensor.shape)}, which does not match "
                "its partner's."
            )
