import copy

import torch

from imagic_lora.runs.passes import Passes, counting


class Doubles(torch.nn.Module):
    """A module that returns a tuple, as a denoiser does."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        """Return twice the input."""
        return (2 * x,)


def test_passes_are_counted_by_what_happens() -> None:
    """Samples without a gradient count as forward, those whose gradient came back as both."""
    passes, module = Passes(), Doubles()
    passes.watch(module)

    module(torch.ones(3, 1))
    assert Passes(forward=3) == passes.take()
    (output,) = copy.deepcopy(module)(torch.ones(2, 1, requires_grad=True))
    assert Passes(forward=2) == passes
    output.sum().backward()
    assert Passes(forward_backward=2) == passes.take()
    assert Passes() == passes


def test_what_is_counted_within_a_block_leaves_no_trace() -> None:
    """The module is afterwards as it was before."""
    module = Doubles()

    with counting(module) as passes:
        module(torch.ones(3, 1))

    module(torch.ones(5, 1))
    assert Passes(forward=3) == passes
    assert not module._forward_hooks
