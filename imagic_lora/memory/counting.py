"""Counting the bytes of every tensor that a piece of work makes, without making them.

Under PyTorch's fake tensors an operation computes shapes and nothing else, so that the true code
runs at true sizes on any machine. What lies in host memory is left out.
"""

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from imagic_lora.memory.levers.host import making_host_memory

_BLOCK = 512
"""Bytes that the CUDA allocator rounds every request up to a multiple of."""


class ByteCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes that are alive, and the most that ever were.

    Attributes:
        live: Bytes alive now.
        peak: Most bytes that were alive at a time.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = 0
        self.peak = 0
        self._sizes: dict[int, int] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run an operation and count what it makes."""
        if func is torch.ops.aten._local_scalar_dense.default:
            return 1.0  # a fake tensor has no value, and the work must go on
        output = func(*args, **(kwargs or {}))
        tree_map_only(torch.Tensor, self.hold, output)
        return output

    def hold(self, tensor: torch.Tensor) -> None:
        """Count a tensor's storage, once, for as long as it lives."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._sizes:
            return
        size = 0 if making_host_memory() else -(-storage.nbytes() // _BLOCK) * _BLOCK
        self._sizes[key] = size
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._let_go, key)

    def hold_module(self, module: nn.Module) -> None:
        """Count the parameters and buffers of a module."""
        for tensor in (*module.parameters(), *module.buffers()):
            self.hold(tensor)

    def _let_go(self, key: int) -> None:
        self.live -= self._sizes.pop(key)


@contextmanager
def pretending() -> Iterator[None]:
    """Make fake tensors in a block: they have a shape, a dtype and a device, and no data."""
    with FakeTensorMode(allow_non_fake_inputs=True), _plain_apply():
        yield


def pretend(module: nn.Module) -> None:
    """Replace what a module holds by fake tensors on the CPU; to be called while pretending."""
    _apply(module, lambda tensor: torch.empty(tensor.shape, dtype=tensor.dtype))


@contextmanager
def _plain_apply() -> Iterator[None]:
    """Let modules be moved and cast in a block: `Module.to` cannot swap fake tensors."""
    with mock.patch.object(nn.Module, "_apply", _apply):
        yield


def _apply(
    module: nn.Module,
    function: Callable[[torch.Tensor], torch.Tensor],
    recurse: bool = True,  # noqa: FBT001, FBT002  # the signature of Module._apply
) -> nn.Module:
    """Replace every parameter and buffer of a module by what a function makes of it."""
    for child in module.children() if recurse else ():
        _apply(child, function)
    for name, parameter in module._parameters.items():
        if parameter is not None:
            with torch.no_grad():
                changed = function(parameter)
            if changed is not parameter:
                module._parameters[name] = nn.Parameter(changed, parameter.requires_grad)
    for name, buffer in module._buffers.items():
        if buffer is not None:
            module._buffers[name] = function(buffer)
    return module
