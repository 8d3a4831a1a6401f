"""Frozen layers that hold their weight as 8-bit codes, or in host memory, or both.

One autograd function serves them all: it saves nothing but the layer, and asks it for the weight
again in the backward pass. Libraries that store weights like this either break the backward pass
(they swap the data of a parameter that autograd has saved) or keep the dequantised weight for it.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.grad import conv2d_input

from imagic_lora.memory.levers.host import to_device, to_host

_LARGEST_CODE = 127


def freeze(
    module: nn.Module,
    *,
    eight_bit: bool,
    stream: "Stream | None" = None,
    exact: tuple[str, ...] = (),
) -> None:
    """Give the linear layers and convolutions of a module another store for their weight, for good.

    Args:
        module: A frozen module, on the CPU or on the device. What is frozen already keeps its
            codes; its store may still change.
        eight_bit: Round each weight to int8 codes with a scale for every output channel.
        stream: Where to fetch the weights from host memory through; None holds them with the
            module.
        exact: Paths of layers that are left as they are.
    """
    workspace = _Workspace()
    layers = [layer for path, layer in module.named_modules() if path not in exact]
    for layer in layers:
        if type(layer) in _FROZEN:
            weight: torch.Tensor = layer._parameters.pop("weight")
            layer.__class__ = _FROZEN[type(layer)]
            layer._workspace = workspace
            layer._hold((weight.detach(),), None)
        if isinstance(layer, _Frozen):
            stored = layer._stored()
            if eight_bit and len(stored) == 1:
                # On the CPU: rounding takes several float32 copies, for which there is no room.
                device = stored[0].device
                stored = tuple(part.to(device) for part in quantise(stored[0].cpu()))
            layer._hold(stored, stream or layer._stream)


def release(module: nn.Module) -> None:
    """Let go of what a module fetched ahead and will not use now."""
    for layer in module.modules():
        if isinstance(layer, _Frozen) and layer._stream is not None:
            layer._stream.clear()


def quantise(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return int8 codes of a weight and their scale, in the weight's dtype.

    The scale is rounded to that dtype before the codes are chosen, so that rounding it costs
    nothing.

    Args:
        weight: Shape (out, ...).

    Returns:
        Codes of the weight's shape, and scales of shape (out, 1, ...).
    """
    rows = weight.float().abs().amax(dim=tuple(range(1, weight.dim())), keepdim=True)
    scale = (rows / _LARGEST_CODE).clamp(min=torch.finfo(weight.dtype).tiny).to(weight.dtype)
    codes = (weight.float() / scale.float()).round_().clamp_(-_LARGEST_CODE, _LARGEST_CODE)
    return codes.to(torch.int8), scale


class _Workspace:
    """Where a CPU dequantises the weights of one module, each in the place of the one before it.

    Fresh memory takes the system several times longer to hand over than the weight takes to make; a
    GPU's allocator keeps what was freed.
    """

    def __init__(self) -> None:
        self._memory = torch.empty(0)

    def take(self, shape: torch.Size, dtype: torch.dtype) -> torch.Tensor:
        """Return a tensor, whose values last until the next one is taken."""
        if self._memory.numel() < shape.numel() or self._memory.dtype != dtype:
            self._memory = torch.empty(shape.numel(), dtype=dtype)
        return self._memory[: shape.numel()].view(shape)


class _Frozen(nn.Module):
    """A layer whose `weight` is made anew whenever it is asked for."""

    _workspace: _Workspace
    _stream: "Stream | None"
    _host: tuple[torch.Tensor, ...]

    def _hold(self, stored: tuple[torch.Tensor, ...], stream: "Stream | None") -> None:
        """Hold the stored form of the weight: codes, and their scale if they are 8-bit."""
        self._stream = stream
        for name in ("codes", "scale"):
            self._buffers.pop(name, None)
        if stream is None:
            for name, tensor in zip(("codes", "scale"), stored, strict=False):
                self.register_buffer(name, tensor)
        else:
            # A tuple is no buffer: `to` leaves it where it is.
            self._host = tuple(to_host(tensor) for tensor in stored)

    def _stored(self) -> tuple[torch.Tensor, ...]:
        """Return the stored form, where it lies."""
        if self._stream is not None:
            return self._host
        return tuple(self._buffers[name] for name in ("codes", "scale") if name in self._buffers)  # type: ignore[misc]

    @property
    def weight(self) -> torch.Tensor:
        """The weight as the layer computes with it, on the device; used before the next is made."""
        stored = self._stored() if self._stream is None else self._stream.fetch(self)
        if len(stored) == 1:
            return stored[0]
        codes, scale = stored
        if type(codes) is torch.Tensor and codes.device.type == "cpu":
            return self._workspace.take(codes.shape, scale.dtype).copy_(codes).mul_(scale)
        # On a GPU, and where one is counted for: a single pass, into memory of its own.
        return codes * scale

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:  # noqa: FBT001
        """Save the weight as it is stored, wherever it lies."""
        super()._save_to_state_dict(destination, prefix, keep_vars)
        for name, tensor in zip(("codes", "scale"), self._stored(), strict=False):
            destination[prefix + name] = tensor


class FrozenLinear(_Frozen, nn.Linear):  # type: ignore[override]  # the weight is read-only
    """A frozen linear layer."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Make an ordinary layer: peft builds its own from the type of the layer beside them."""
        return nn.Linear(*args, **kwargs) if args else super().__new__(cls)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return input W^T + b."""
        # Flat, since autograd forbids in-place changes to views made inside a function of ours.
        flat = _operate(input.flatten(0, -2), self)
        return flat.view(*input.shape[:-1], -1)

    def _run(self, input: torch.Tensor) -> torch.Tensor:
        return functional.linear(input, self.weight, self.bias)

    def _pull(self, grad: torch.Tensor, shape: torch.Size) -> torch.Tensor:  # noqa: ARG002
        return grad @ self.weight


class FrozenConv2d(_Frozen, nn.Conv2d):  # type: ignore[override]  # the weight is read-only
    """A frozen convolution."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Make an ordinary layer: peft builds its own from the type of the layer beside them."""
        return nn.Conv2d(*args, **kwargs) if args else super().__new__(cls)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the convolution of the input."""
        return _operate(input, self)

    def _run(self, input: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self._conv_forward(input, self.weight, self.bias)
        return output

    def _pull(self, grad: torch.Tensor, shape: torch.Size) -> torch.Tensor:
        pulled: torch.Tensor = conv2d_input(  # type: ignore[no-untyped-call]
            shape, self.weight, grad, self.stride, self.padding, self.dilation, self.groups
        )
        return pulled


def _operate(input: torch.Tensor, layer: _Frozen) -> torch.Tensor:
    """Run a frozen layer."""
    output: torch.Tensor = _FrozenOperation.apply(input, layer)  # type: ignore[no-untyped-call]
    return output


_FROZEN: dict[type, type] = {nn.Linear: FrozenLinear, nn.Conv2d: FrozenConv2d}


class _FrozenOperation(torch.autograd.Function):
    """A layer's forward pass; its backward pass reaches the input alone."""

    @staticmethod
    def forward(ctx: Any, input: torch.Tensor, layer: Any) -> torch.Tensor:
        ctx.layer, ctx.shape = layer, input.shape
        output: torch.Tensor = layer._run(input)
        return output

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        return ctx.layer._pull(grad, ctx.shape), None


class Stream:
    """Fetches stored weights from host memory, each while the layer before it computes.

    The layers run in the same order in every pass, so the layer that followed a pair of layers last
    time is the one to fetch after that pair; a wrong guess costs a transfer and nothing else.

    Args:
        device: Where to.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        on_gpu = device.type == "cuda"
        self._side = torch.cuda.Stream(device) if on_gpu else None  # type: ignore[no-untyped-call]
        self._followers: dict[tuple[int, int], _Frozen] = {}
        self._last: tuple[int, int] = (0, 0)
        self._ahead: tuple[_Frozen, tuple[torch.Tensor, ...]] | None = None
        self._begun: torch.cuda.Event | None = None

    def fetch(self, layer: _Frozen) -> tuple[torch.Tensor, ...]:
        """Return a layer's stored tensors on the device, and begin to fetch the next layer's."""
        self._followers[self._last] = layer
        self._last = (self._last[1], id(layer))
        ahead, self._ahead = self._ahead, None
        found = ahead[1] if ahead and ahead[0] is layer else self._copy(layer)
        if self._side is not None:
            current = torch.cuda.current_stream(self._device)
            current.wait_stream(self._side)
            for tensor in found:
                tensor.record_stream(current)
            before, self._begun = self._begun, current.record_event()
            if before is not None:
                # The memory of a layer is free once it has computed. Transfers wait for no layer, so
                # without this those of a whole model are under way before the first is done.
                before.synchronize()
        follower = self._followers.get(self._last)
        if follower is not None:
            self._ahead = (follower, self._copy(follower))
        return found

    def clear(self) -> None:
        """Let go of what was fetched ahead."""
        self._ahead = None

    def _copy(self, layer: _Frozen) -> tuple[torch.Tensor, ...]:
        """Return copies on the device, made beside what it computes."""
        with torch.cuda.stream(self._side):
            return tuple(to_device(tensor, self._device) for tensor in layer._host)
