"""Adapter files with something in them changed, as another writer may leave them."""

import json
import struct
from collections.abc import Callable, Mapping
from typing import Any

import safetensors.torch
import torch


def rewrite(data: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """Return an adapter file with its own header object changed."""
    size = int.from_bytes(data[:8], "little")
    whole = json.loads(data[8 : 8 + size])
    own = json.loads(whole["__metadata__"]["imagic_lora"])
    change(own)
    whole["__metadata__"]["imagic_lora"] = json.dumps(own)
    text = json.dumps(whole).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + size :]


def with_tensors(data: bytes, changes: Mapping[str, torch.Tensor | None]) -> bytes:
    """Return an adapter file with some tensors replaced, added or (None) left out."""
    size = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + size])["__metadata__"]
    del metadata["modelspec.hash_sha256"]  # or it would be the hash that gives the change away
    tensors = safetensors.torch.load(data) | dict(changes)
    kept = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    return safetensors.torch.save(kept, metadata)
