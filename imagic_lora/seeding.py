"""Random generators derived from a seed and a purpose; nothing else draws random numbers.

Each purpose has a stream of its own, so a change in how often one is drawn from leaves the others
as they were, and the caller's global random state is never touched. Generators live on the CPU:
the same seed gives the same numbers whatever device they are then sent to.
"""

import hashlib

import torch


def generator(seed: int, purpose: str) -> torch.Generator:
    """Return a fresh CPU generator for one purpose.

    Args:
        seed: The user's seed.
        purpose: What is drawn, e.g. "fit noise".
    """
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return torch.Generator("cpu").manual_seed(int.from_bytes(digest[:8], "little") >> 1)


def randn(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """Return standard normal float32 numbers on the CPU, of the given shape."""
    return torch.randn(shape, generator=generator, dtype=torch.float32)
