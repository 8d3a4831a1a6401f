"""Moving tensors between the device and the memory of the host, and what a backward pass keeps there.

On a CUDA device the host's copy is pinned, so that a transfer takes its turn in the stream and
nobody waits for it. On the CPU the same copies are made, which is how they are tested and counted.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

_IN_HOST_MEMORY: ContextVar[bool] = ContextVar("in host memory", default=False)


@contextmanager
def host_memory() -> Iterator[None]:
    """Mark what is made in a block as lying in host memory: where both are the CPU, it is told so."""
    token = _IN_HOST_MEMORY.set(True)
    try:
        yield
    finally:
        _IN_HOST_MEMORY.reset(token)


def making_host_memory() -> bool:
    """Return whether what is made just now lies in host memory."""
    return _IN_HOST_MEMORY.get()


def to_host(tensor: torch.Tensor) -> torch.Tensor:
    """Return a copy in host memory, pinned where a GPU will fetch it again."""
    with host_memory():
        host = torch.empty_like(tensor, device="cpu", pin_memory=torch.cuda.is_available())
        return host.copy_(tensor, non_blocking=True)


def to_device(host: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return a copy on the device; always a copy, so that the CPU does what a GPU does."""
    return torch.empty_like(host, device=device).copy_(host, non_blocking=True)


@contextmanager
def activations_on_host() -> Iterator[None]:
    """Keep what a forward pass saves for its backward pass in host memory.

    Meant for a checkpointed module, which saves little more than the input of each of its blocks.
    Parameters stay where they are, and so do views that repeat what they show.
    """

    def pack(tensor: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.device]:
        if isinstance(tensor, torch.nn.Parameter) or not _dense(tensor):
            return tensor
        return to_host(tensor.detach()), tensor.device

    def unpack(packed: torch.Tensor | tuple[torch.Tensor, torch.device]) -> torch.Tensor:
        return packed if isinstance(packed, torch.Tensor) else to_device(*packed)

    with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        yield


def _dense(tensor: torch.Tensor) -> bool:
    """Return whether a tensor fills what it spans, so that a copy can have the same strides."""
    steps = zip(tensor.shape, tensor.stride(), strict=True)
    return 1 + sum((size - 1) * stride for size, stride in steps) == tensor.numel()
