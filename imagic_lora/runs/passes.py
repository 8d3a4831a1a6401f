"""Counts the samples that go through a denoiser, by watching it: no formula can be wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.hooks import RemovableHandle


@dataclass
class Passes:
    """Samples that went through denoisers.

    Attributes:
        forward: Samples that went forward only.
        forward_backward: Samples that went forward, and whose gradient came back.
    """

    forward: int = 0
    forward_backward: int = 0

    def watch(self, denoiser: torch.nn.Module) -> RemovableHandle:
        """Count what goes through a denoiser until the handle is removed; deep copies are counted too.

        What is registered is a closure, since deep copies of a module share those; a method's owner
        would be copied along with it.

        Args:
            denoiser: A module that returns a tensor, or a tuple or output with the tensor first.
        """

        def count(_: torch.nn.Module, __: tuple[Any, ...], output: Any) -> None:
            sample: torch.Tensor = output[0]
            self.forward += len(sample)
            if sample.requires_grad:
                sample.register_hook(came_back)  # type: ignore[no-untyped-call]

        def came_back(gradient: torch.Tensor) -> None:
            self.forward -= len(gradient)
            self.forward_backward += len(gradient)

        return denoiser.register_forward_hook(count)

    def take(self) -> "Passes":
        """Return what was counted since the last call, and begin anew."""
        taken = Passes(self.forward, self.forward_backward)
        self.forward = self.forward_backward = 0
        return taken


@contextmanager
def counting(denoiser: torch.nn.Module) -> Iterator[Passes]:
    """Count what goes through a denoiser within a block.

    Args:
        denoiser: As `Passes.watch` takes it.
    """
    passes = Passes()
    handle = passes.watch(denoiser)
    try:
        yield passes
    finally:
        handle.remove()
