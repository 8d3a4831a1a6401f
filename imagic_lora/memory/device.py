"""What a device has and what has been used of it."""

import os
import resource
import sys

import torch


def peak_bytes(device: torch.device) -> int:
    """Return the most memory used so far: of the GPU if it is one, else of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes if sys.platform == "darwin" else kilobytes * 1024


def free_bytes(device: torch.device) -> int:
    """Return how much memory a device has free."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    # macOS does not tell what is free.
    name = "SC_AVPHYS_PAGES" if "SC_AVPHYS_PAGES" in os.sysconf_names else "SC_PHYS_PAGES"
    return os.sysconf(name) * os.sysconf("SC_PAGE_SIZE")


def total_bytes(device: torch.device) -> int:
    """Return how much memory a device has."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[1]
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
