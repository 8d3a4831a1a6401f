"""Low-rank weights in a denoiser: inject, read, write, eject. The only importer of peft.

`inject` and `eject` are inverses: after an eject the module tree and every parameter of the base
are what they were before. The LoRA's alpha always equals its rank, so its scale is 1 in every tool.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from peft.tuners.lora.layer import LoraVariant
from torch.nn import functional

from imagic_lora.errors import AdapterMismatchError

Weights = Mapping[str, torch.Tensor]
"""LoRA tensors by name: "<module>.lora_A.weight" (rank first) and "<module>.lora_B.weight"."""

_SLOT = "imagic"


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
    _inject_slots(denoiser, LoraConfig(r=rank, lora_alpha=rank, target_modules=list(targets)))
    for name, parameter in _slots(denoiser):
        fresh = torch.zeros(parameter.shape)
        if ".lora_A." in name:
            bound = parameter[0].numel() ** -0.5
            fresh.uniform_(-bound, bound, generator=generator)
        parameter.data = fresh.to(parameter.device)


def _inject_slots(denoiser: torch.nn.Module, config: LoraConfig) -> None:
    """Inject peft's layers; the caller's random state, from which peft draws, is put back."""
    with torch.random.fork_rng(devices=[]):
        inject_adapter_in_model(config, denoiser, adapter_name=_SLOT)
    for layer in _layers(denoiser).values():
        layer.cast_input_dtype_enabled = False
        layer.lora_variant[_SLOT] = _OwnPrecision


class _OwnPrecision(LoraVariant):
    """Adds the low-rank term in the precision of the layer's input, with the fewest copies.

    peft's own forward works in the LoRA's float32, on copies of the layer's input and output that
    are twice as large as they are: at the widest layer that alone is a quarter of what a fit of
    half-precision weights needs on top of them.
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
    modules = denoiser.named_modules()
    return {path: module for path, module in modules if isinstance(module, LoraLayer)}


def _slots(denoiser: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Parameter]]:
    """Yield the file name and the parameter of every LoRA weight."""
    for name, parameter in denoiser.named_parameters():
        if f".{_SLOT}." in name:
            yield name.replace(f".{_SLOT}.", "."), parameter


def parameters(denoiser: torch.nn.Module) -> list[torch.nn.Parameter]:
    """Return the LoRA parameters of an injected denoiser."""
    return [parameter for _, parameter in _slots(denoiser)]


def read(denoiser: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return copies of the LoRA weights, in half precision on the CPU, sorted by name."""
    return {
        name: parameter.detach().to("cpu", torch.float16, copy=True)
        for name, parameter in sorted(_slots(denoiser))
    }


@contextmanager
def injected(denoiser: torch.nn.Module, weights: Weights) -> Iterator[None]:
    """Hold given LoRA weights in a denoiser, in its own dtype, for the length of a block.

    Args:
        denoiser: The module to change; it is as before when the block ends, however it ends.
        weights: The weights to hold.

    Raises:
        AdapterMismatchError: When the denoiser has no such layer, or one of another shape.
    """
    check_fit(denoiser, weights)
    ranks = {
        name.removesuffix(".lora_A.weight"): tensor.shape[0]
        for name, tensor in weights.items()
        if name.endswith(".lora_A.weight")
    }
    rank = max(ranks.values())
    smaller = {path: own for path, own in ranks.items() if own != rank}
    config = LoraConfig(
        r=rank,
        lora_alpha=rank,
        target_modules=list(ranks),
        rank_pattern=smaller,
        alpha_pattern=smaller,
    )
    try:
        _inject_slots(denoiser, config)
        for name, parameter in _slots(denoiser):
            parameter.data = weights[name].to(parameter.device, parameter.dtype)
            parameter.requires_grad_(False)
        yield
    finally:
        eject(denoiser)


def check_fit(denoiser: torch.nn.Module, weights: Weights) -> None:
    """Raise unless every weight has a layer of its shape in the denoiser.

    Args:
        denoiser: The module that the weights are meant for; it is not changed.
        weights: The weights.

    Raises:
        AdapterMismatchError: When the denoiser has no such layer, or one of another shape.
    """
    layers = dict(denoiser.named_modules())
    for name, tensor in weights.items():
        path, _, which = name.removesuffix(".weight").rpartition(".")
        base = getattr(layers.get(path), "weight", None)
        if base is None:
            raise AdapterMismatchError(
                f"The adapter changes the layer {path!r}, which this model does not have; "
                "it was fitted on a model of another shape."
            )
        expected = base.shape[1:] if which == "lora_A" else base.shape[:1]
        found = tensor.shape[1:] if which == "lora_A" else tensor.shape[:1]
        if tuple(expected) != tuple(found):
            raise AdapterMismatchError(
                f"The adapter's {name!r} is made for a layer of shape {tuple(found)}, but this "
                f"model's is {tuple(expected)}; it was fitted on a model of another shape."
            )
