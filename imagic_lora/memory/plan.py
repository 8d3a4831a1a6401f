"""Where each part of a model lives while it works: every switch that trades memory is here.

What always holds: the text encoders and the autoencoder are on the device only while they work;
frozen weights are half precision on a GPU; what is trained is float32 everywhere.
"""

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from imagic_lora.errors import DeviceError


@dataclass(frozen=True)
class MemoryPlan:
    """Device, precision and levers of one editor.

    Attributes:
        device: Where the work is done.
        dtype: Precision of the frozen weights.
        checkpointing: Recompute the denoiser's activations instead of keeping them in a fit.
        vae_tiling: Encode and decode in tiles.
        offload_denoiser: Take the denoiser off the device while it is not working.
        micro_batch: Most samples of one optimiser step that are worked on at a time; the step's
            gradient is the same.
    """

    device: torch.device
    dtype: torch.dtype
    checkpointing: bool = False
    vae_tiling: bool = False
    offload_denoiser: bool = False
    micro_batch: int = 4

    @classmethod
    def automatic(cls, device: str | None = None) -> "MemoryPlan":
        """Return the plan for a device: half precision on a GPU, float32 on a CPU.

        Args:
            device: A torch device, e.g. "cuda" or "cpu"; default: a GPU where there is one.

        Raises:
            DeviceError: When the device is not there.
        """
        name = device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            found = torch.device(name)
        except RuntimeError as error:
            raise DeviceError(f"There is no kind of device called {name!r}.") from error
        if found.type == "cpu":
            return cls(found, torch.float32)
        if found.type != "cuda" or (found.index or 0) >= torch.cuda.device_count():
            raise DeviceError(
                f"The device {name!r} was asked for and is not there; this machine has "
                f"{torch.cuda.device_count()} CUDA devices, and 'cpu'."
            )
        bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return cls(found, torch.bfloat16 if bfloat16 else torch.float16)

    @contextmanager
    def resident(self, *modules: torch.nn.Module) -> Iterator[None]:
        """Hold modules on the device for the length of a block, then send them back to the CPU."""
        for module in modules:
            module.to(self.device)
        try:
            yield
        finally:
            if self.device.type != "cpu":
                for module in modules:
                    module.to("cpu")
                torch.cuda.empty_cache()

    @contextmanager
    def denoising(self, denoiser: Any, *, training: bool = False) -> Iterator[None]:
        """Hold the denoiser on the device while it works, checkpointed if it is to be trained."""
        checkpointed = training and self.checkpointing
        denoiser.to(self.device)
        if checkpointed:
            denoiser.enable_gradient_checkpointing()
        try:
            yield
        finally:
            if checkpointed:
                denoiser.disable_gradient_checkpointing()
            if self.offload_denoiser:
                denoiser.to("cpu")


def peak_bytes(device: torch.device) -> int:
    """Return the most memory used so far: of the GPU if it is one, else of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes if sys.platform == "darwin" else kilobytes * 1024
