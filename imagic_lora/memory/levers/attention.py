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
_NO_KERNEL = ("No available kernel", "No viable backend", "No operator found")
"""What PyTorch and xformers say where they have none."""

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
        with _TURN, sdpa_kernel(_FUSED), _no_kernel_is_an_error(attention, device):
            yield
    else:
        try:
            # Kernels that were built for another PyTorch are missed here, or at the first call.
            with _no_kernel_is_an_error(attention, device):
                denoiser.enable_xformers_memory_efficient_attention()
                yield
        finally:
            denoiser.disable_xformers_memory_efficient_attention()


@contextmanager
def _no_kernel_is_an_error(attention: str, device: torch.device) -> Iterator[None]:
    """Say in our own words that no kernel takes the shapes or the precision at hand."""
    try:
        yield
    except RuntimeError as error:
        if not any(sign in str(error) for sign in _NO_KERNEL):
            raise
        raise DeviceError(
            f"attention={attention!r} was asked for, and what is installed has no such kernel for "
            f"the device {str(device)!r}, this model and this precision; use attention='auto'."
        ) from error
