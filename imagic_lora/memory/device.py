"""What a device has and what has been used of it."""

import sys

import psutil
import torch


def peak_bytes(device: torch.device) -> int:
    """Return the most memory used so far: of the GPU if it is one, else of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource  # noqa: PLC0415  Windows has none

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def free_bytes(device: torch.device) -> int:
    """Return how much memory a device has free."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return int(psutil.virtual_memory().available)


def total_bytes(device: torch.device) -> int:
    """Return how much memory a device has."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[1]
    return int(psutil.virtual_memory().total)


def give_back() -> None:
    """Give back what PyTorch keeps of the GPU's memory for later, so that it counts as free."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def device_name(device: torch.device) -> str:
    """Return what a device is called: a GPU by its maker's name, another by its kind."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
