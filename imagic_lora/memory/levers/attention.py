"""Attention kernels: which one the denoiser uses, by the calls that reach these UNets."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from threading import RLock
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from imagic_lora.errors import DeviceError, MissingExtraError

_FUSED = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION]
_TURN = RLock()
"""The choice of kernels is the whole process's: of two threads, one would leave it switched."""


def check_attention(attention: str, device: torch.device) -> None:
    """Raise unless a machine has an attention kernel.

    Args:
        attention: "auto", "sdpa" or "xformers".
        device: Where it is to run.

    Raises:
        MissingExtraError: When xformers is asked for and not installed.
        DeviceError: When the device cannot run it.
    """
    if attention != "xformers":
        return
    if find_spec("xformers") is None:
        raise MissingExtraError("xformers", "xformers", "attention='xformers'")
    if device.type != "cuda":
        raise DeviceError(
            f"xformers has no kernels for the device {str(device)!r}; use attention='auto', or a "
            "CUDA device."
        )


@contextmanager
def attending(denoiser: Any, attention: str, device: torch.device) -> Iterator[None]:
    """Let a denoiser use an attention kernel for the length of a block.

    `set_attention_backend`, which newer models have, does nothing on these UNets.

    Args:
        denoiser: A diffusers model.
        attention: "auto", "sdpa" or "xformers".
        device: Where it runs.

    Raises:
        MissingExtraError: When xformers is asked for and not installed.
        DeviceError: When the device cannot run what was asked for.
    """
    check_attention(attention, device)
    if attention == "auto":
        yield
    elif attention == "sdpa":
        with _TURN, sdpa_kernel(_FUSED), _no_kernel_is_an_error(device):
            yield
    else:
        denoiser.enable_xformers_memory_efficient_attention()
        try:
            yield
        finally:
            denoiser.disable_xformers_memory_efficient_attention()


@contextmanager
def _no_kernel_is_an_error(device: torch.device) -> Iterator[None]:
    """Say in our own words that no fused kernel takes the shapes or the precision at hand."""
    try:
        yield
    except RuntimeError as error:
        if "No available kernel" not in str(error) and "No viable backend" not in str(error):
            raise
        raise DeviceError(
            f"attention='sdpa' was asked for, and the device {str(device)!r} has no fused kernel "
            "for this model and precision; use attention='auto'."
        ) from error
