"""The adapter file, as bytes: docs/file-format.md is the specification.

A safetensors file with the LoRA under diffusers' names, our own tensors under names that contain
"lora" (diffusers refuses any other), and one JSON object of ours in the header. Whatever is read is
checked here, and nothing in a file can run code. Reading takes twice the memory of the file, and 50
MB at most.
"""

import hashlib
import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError

from imagic_lora.adapters.header import header_size, read_metadata, read_object
from imagic_lora.adapters.record import FitRecord
from imagic_lora.adapters.weights import Weights
from imagic_lora.conditioning import Conditioning
from imagic_lora.errors import AdapterFileError, quoted
from imagic_lora.memory import host_shortage_explained
from imagic_lora.models.families import find_family

FORMAT = 1
"""Version of the file format; a file of another version is refused."""

MAX_BYTES = 1 << 30
"""Largest file that is read."""

_TOKENS = "imagic_lora.conditioning.tokens"
_POOLED = "imagic_lora.conditioning.pooled"
_LATENTS = "imagic_lora.latents"
_DIMENSIONS = {_TOKENS: 3, _POOLED: 2, _LATENTS: 4}
_HEADER = "imagic_lora"
_HASH = "modelspec.hash_sha256"
_MAX_OWN_HEADER = 8 << 20
_AT_ONCE = 1 << 16
"""Numbers that are checked in one go."""


@dataclass(frozen=True, eq=False)
class Content:
    """What a file of ours holds.

    Attributes:
        lora: The weights.
        conditioning: The optimised conditioning, batch 1.
        latents: Latents of the input image, shape (1, C, h, w).
        record: What was fitted and how.
        shown: All texts of the header.
    """

    lora: Weights
    conditioning: Conditioning
    latents: torch.Tensor
    record: FitRecord
    shown: Mapping[str, str]


def encode(content: Content) -> bytes:
    """Return the bytes of a file; the same content gives the same bytes.

    Args:
        content: What it holds, in half precision.
    """
    tensors = content.lora.named(find_family(content.record.family).prefix)
    tensors |= {_TOKENS: content.conditioning.tokens, _LATENTS: content.latents}
    if content.conditioning.pooled is not None:
        tensors[_POOLED] = content.conditioning.pooled
    header = json.dumps({"format": FORMAT, **content.record.values()}, sort_keys=True)
    return write_tensors(tensors, {**content.shown, _HEADER: header})


@host_shortage_explained("tensors were written to a file")
def write_tensors(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> bytes:
    """Return the bytes of a safetensors file that depend on its content alone.

    Args:
        tensors: The tensors by name.
        metadata: Texts for the header, to which the hash of the tensors is added.

    Raises:
        DeviceError: When this machine's memory runs out.
    """
    data = _serialized(tensors, metadata)
    body = _body(data)
    header = json.loads(data[8 : len(data) - len(body)])
    header["__metadata__"][_HASH] = _hash(body)
    # Sorted, since safetensors' own order varies.
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join((len(text).to_bytes(8, "little"), text, body))


def _serialized(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> bytes:
    """Return tensors and texts as safetensors writes them."""
    # Copies, since safetensors refuses tensors that share memory.
    own = {
        name: tensors[name].clone(memory_format=torch.contiguous_format) for name in sorted(tensors)
    }
    return safetensors.torch.save(own, {"format": "pt", **metadata})


def _body(data: bytes) -> memoryview:
    """Return what follows the header, without a copy."""
    return memoryview(data)[8 + header_size(data) :]


def _hash(body: memoryview) -> str:
    """Return the hash of what follows the header, as other tools write it."""
    return "0x" + hashlib.sha256(body).hexdigest()


def read_limited(path: Path) -> bytes:
    """Return a file's content, refusing before reading what cannot be an adapter.

    Raises:
        AdapterFileError: When it is no file, too large, or cannot be read.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise AdapterFileError("it is no file, but a folder, a pipe or a device.")
        if found.st_size > MAX_BYTES:
            raise AdapterFileError(
                f"it has {found.st_size} bytes, an adapter has at most {MAX_BYTES}."
            )
        with path.open("rb") as file:
            data = file.read(found.st_size + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AdapterFileError(f"{reason}.".lower()) from error
    if len(data) != found.st_size:
        raise AdapterFileError("it changed while it was read; try again.")
    return data


@host_shortage_explained("an adapter was read")
def decode(data: bytes) -> Content:
    """Return what a file holds.

    Args:
        data: Content of an adapter file.

    Raises:
        AdapterFileError: When it is truncated, foreign, hostile or of another version.
        DeviceError: When this machine's memory runs out.
    """
    if _MAX_OWN_HEADER < header_size(data) <= len(data) - 8:
        raise AdapterFileError(
            f"its header has {header_size(data)} bytes, an adapter's has at most {_MAX_OWN_HEADER}."
        )
    metadata = read_metadata(data)
    record = _read_record(metadata)
    prefix = find_family(record.family).prefix
    tensors = read_tensors(data)
    _check_tensors(tensors, prefix)
    if not _all_finite(_body(data)):
        name = next(name for name, tensor in tensors.items() if not torch.isfinite(tensor).all())
        raise AdapterFileError(f"its tensor {quoted(name)} has values that are not finite.")
    if metadata.get(_HASH, found := _hash(_body(data))) != found:
        raise AdapterFileError(
            "its tensors do not have the hash that its header gives; it was damaged or changed."
        )
    _check_canvas(tensors[_LATENTS], record)
    lora = {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
    conditioning = Conditioning(tensors[_TOKENS], tensors.get(_POOLED))
    return Content(Weights(lora), conditioning, tensors[_LATENTS], record, metadata)


def read_tensors(data: bytes) -> dict[str, torch.Tensor]:
    """Return the tensors of a safetensors file.

    Raises:
        AdapterFileError: When it is truncated or damaged.
    """
    try:
        return safetensors.torch.load(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise AdapterFileError(
            f"it is not a whole safetensors file ({quoted(str(error))})."
        ) from error


def _read_record(metadata: Mapping[str, Any]) -> FitRecord:
    """Return the record in our own JSON object, after a check of its version."""
    if _HEADER not in metadata:
        raise AdapterFileError(
            "it has no imagic_lora header, so it was made by another tool or for another purpose."
        )
    own = read_object("header", metadata[_HEADER])
    version = own.get("format")
    if not isinstance(version, int) or isinstance(version, bool) or version != FORMAT:
        raise AdapterFileError(
            f"it has format version {quoted(version)}, this version of imagic_lora reads "
            f"{FORMAT}; install a newer one if the number is larger."
        )
    return FitRecord.of(own)


def _check_tensors(tensors: Mapping[str, torch.Tensor], prefix: str) -> None:
    """Raise unless the tensors are those of an adapter: names, precision and shapes."""
    for name, tensor in tensors.items():
        if tensor.dtype != torch.float16:
            raise AdapterFileError(
                f"its tensor {quoted(name)} is {tensor.dtype}, allowed is float16."
            )
    names = {name for name in tensors if not name.startswith(prefix)}
    if not {_TOKENS, _LATENTS} <= names <= {_TOKENS, _LATENTS, _POOLED}:
        raise AdapterFileError(
            f"its tensors beside the LoRA are {quoted(sorted(names))}, expected are {_TOKENS!r}, "
            f"{_LATENTS!r} and for some families {_POOLED!r}."
        )
    for name in names:
        shape = tuple(tensors[name].shape)
        if len(shape) != _DIMENSIONS[name] or shape[0] != 1 or 0 in shape:
            raise AdapterFileError(f"its tensor {name!r} has the shape {shape}.")


def _check_canvas(latents: torch.Tensor, record: FitRecord) -> None:
    """Raise for latents that no autoencoder makes of a canvas: more of them than it has pixels."""
    rows, columns = latents.shape[-2:]
    if rows > record.height or columns > record.width:
        raise AdapterFileError(
            f"its latents are {columns} x {rows}, more than the {record.width} x {record.height} "
            "pixels of its canvas."
        )


def _all_finite(body: memoryview) -> bool:
    """Return whether every float16 of a body is finite, looking at a part at a time."""
    bits = np.frombuffer(body, "<u2")
    parts = (bits[start : start + _AT_ONCE] for start in range(0, len(bits), _AT_ONCE))
    return not any(((part & 0x7C00) == 0x7C00).any() for part in parts)
