"""Low-rank weights that are trained in a denoiser: inject, read, eject. The only importer of peft.

`inject` and `eject` are inverses: after an eject the module tree and every parameter of the base
are what they were before. The LoRA's alpha always equals its rank, so its scale is 1 in every tool.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from imagic_lora.adapters.weights import Pair, Weights

_NAME = "imagic"


def load() -> None:
    """Import peft, which is left until a fit needs it.

    To be called before tensors are faked: what peft makes while it is imported must be real.
    """
    import_module("peft")


def inject(
    denoiser: torch.nn.Module, targets: Sequence[str], rank: int, generator: torch.Generator
) -> None:
    """Put fresh float32 LoRA weights beside the targeted layers; the output does not change yet.

    Args:
        denoiser: The module to change, with every parameter frozen.
        targets: Names that the targeted layers' paths end with.
        rank: Rank of every layer's LoRA, at least 1; its alpha is the same.
        generator: CPU generator that the A matrices are drawn from; the B matrices are zero.
    """
    _inject_layers(denoiser, targets, rank)
    for pair in _pairs(denoiser).values():
        bound = pair.down[0].numel() ** -0.5
        drawn = torch.empty(pair.down.shape).uniform_(-bound, bound, generator=generator)
        pair.down.data = drawn.to(pair.down.device)
        pair.up.data = torch.zeros(pair.up.shape, device=pair.up.device)


def _inject_layers(denoiser: torch.nn.Module, targets: Sequence[str], rank: int) -> None:
    """Inject peft's layers, their weights not drawn yet."""
    from peft import LoraConfig, inject_adapter_in_model  # noqa: PLC0415  heavy; only fits need it

    config = LoraConfig(r=rank, lora_alpha=rank, target_modules=list(targets))
    with _Undrawn():
        inject_adapter_in_model(config, denoiser, adapter_name=_NAME)
    for layer in _layers(denoiser).values():
        layer.cast_input_dtype_enabled = False
        layer.lora_variant[_NAME] = _OwnPrecision


class _Undrawn(TorchFunctionMode):
    """Leaves new weights as they are, which peft would draw from the caller's random state.

    A mode holds in its own thread alone, while the random state is the whole process's.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run anything but what draws."""
        named = kwargs or {}
        if func in (torch.nn.init.kaiming_uniform_, torch.nn.init.uniform_):
            return args[0] if args else named["tensor"]
        return func(*args, **named)


class _OwnPrecision:
    """Adds the low-rank term in the precision of the layer's input, with the fewest copies.

    peft's own forward works in the LoRA's float32, on copies of the layer's input and output that
    are twice as large as they are: at the widest layer that alone is a quarter of what a fit of
    half-precision weights needs on top of them. Stands where peft looks for a LoraVariant.
    """

    @staticmethod
    def forward(
        module: Any, active_adapter: str, x: torch.Tensor, result: torch.Tensor, **_: Any
    ) -> torch.Tensor:
        """Return the base layer's result with the low-rank term added to it."""
        down, up = module.lora_A[active_adapter], module.lora_B[active_adapter]
        down_weight, up_weight = down.weight.to(x.dtype), up.weight.to(x.dtype)
        if isinstance(down, torch.nn.Conv2d):
            low_rank = functional.conv2d(x, down_weight, None, down.stride, down.padding)
            return result.add_(functional.conv2d(low_rank, up_weight))
        low_rank = functional.linear(x, down_weight).flatten(0, -2)
        # Not in place: the result is a view, and autograd copies the gradient of a changed view.
        summed = torch.addmm(result.flatten(0, -2), low_rank, up_weight.t())
        return summed.view(result.shape)


def eject(denoiser: torch.nn.Module) -> None:
    """Take every LoRA layer out again: the inverse of `inject`."""
    for path, layer in _layers(denoiser).items():
        parent, _, child = path.rpartition(".")
        setattr(denoiser.get_submodule(parent), child, layer.get_base_layer())
    if hasattr(denoiser, "peft_config"):
        del denoiser.peft_config


def _layers(denoiser: torch.nn.Module) -> dict[str, Any]:
    """Return peft's layers by their paths."""
    from peft.tuners.lora import LoraLayer  # noqa: PLC0415  heavy; only fits need it

    modules = denoiser.named_modules()
    return {path: module for path, module in modules if isinstance(module, LoraLayer)}


def _pairs(denoiser: torch.nn.Module) -> dict[str, Pair]:
    """Return the LoRA parameters of every layer by its path."""
    return {
        path: Pair(layer.lora_A[_NAME].weight, layer.lora_B[_NAME].weight)
        for path, layer in _layers(denoiser).items()
    }


def parameters(denoiser: torch.nn.Module) -> list[torch.nn.Parameter]:
    """Return the LoRA parameters of an injected denoiser."""
    layers = _layers(denoiser).values()
    return [both[_NAME].weight for layer in layers for both in (layer.lora_A, layer.lora_B)]


def read(denoiser: torch.nn.Module) -> Weights:
    """Return copies of the LoRA weights, in half precision on the CPU."""

    def copied(weight: torch.Tensor) -> torch.Tensor:
        return weight.detach().to("cpu", torch.float16, copy=True)

    found = sorted(_pairs(denoiser).items())
    return Weights.of({path: Pair(copied(pair.down), copied(pair.up)) for path, pair in found})
