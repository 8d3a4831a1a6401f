"""Optimisers that need no schedule, or no learning rate, for `benchmarks.edits.variants`.

Both are written down here, as short as they are, since the packages that have them are needed for
nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable

_FIRST, _SECOND, _TINY = 0.9, 0.999, 1e-8
"""Adam's own constants."""


class ScheduleFree(torch.optim.Optimizer):
    """Adam whose average takes the place of a schedule.

    Gradients are taken between the average and where Adam stands. The last step leaves the average
    itself, so the number of steps must be known after all, though nothing else depends on it.

    Args:
        groups: Parameters with their learning rates.
        steps: Steps that will be made.

    Source: Defazio et al. 2024, arXiv 2405.15682, algorithm 1.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], steps: int) -> None:
        super().__init__(groups, {})
        self._steps, self._done = steps, 0

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Make one step."""
        self._done += 1
        unbiased = 1 - _SECOND**self._done
        towards_adam = 0.0 if self._done == self._steps else 1 - _FIRST
        for weight, rate in _moved(self):
            state = self.state[weight]
            if not state:
                state.update(adam=weight.clone(), average=weight.clone())
                state["size"] = torch.zeros_like(weight)
            state["size"].lerp_(weight.grad.square(), 1 - _SECOND)
            by = weight.grad / ((state["size"] / unbiased).sqrt() + _TINY)
            state["adam"].sub_(by, alpha=rate)
            state["average"].lerp_(state["adam"], 1 / self._done)
            weight.copy_(state["average"].lerp(state["adam"], towards_adam))


class Prodigy(torch.optim.Optimizer):
    """Adam whose learning rate is its own estimate of how far there is to go.

    Each group has an estimate of its own; their learning rates are not looked at.

    Args:
        groups: Parameters.

    Source: Mishchenko and Defazio 2023, arXiv 2306.06101, algorithm 4.
    """

    def __init__(self, groups: Iterable[dict[str, Any]]) -> None:
        super().__init__(groups, {"distance": 1e-6, "along": 0.0})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Make one step."""
        for group in self.param_groups:
            self._step(group)

    def _step(self, group: dict[str, Any]) -> None:
        distance, kept = group["distance"], _SECOND**0.5
        along = reached = 0.0
        for weight in group["params"]:
            state = self.state[weight]
            if not state:
                names = ("mean", "size", "sum")
                state.update({name: torch.zeros_like(weight) for name in names})
                state["began"] = weight.clone()
            pull = distance * weight.grad
            state["mean"].lerp_(pull, 1 - _FIRST)
            state["size"].lerp_(pull.square(), 1 - _SECOND)
            state["sum"].mul_(kept).add_(pull, alpha=(1 - kept) * distance)
            along += (weight.grad * (state["began"] - weight)).sum().item()
            reached += state["sum"].abs().sum().item()
        group["along"] = kept * group["along"] + (1 - kept) * distance**2 * along
        if reached:
            group["distance"] = max(distance, group["along"] / reached)
        for weight in group["params"]:
            state = self.state[weight]
            by = state["mean"] / (state["size"].sqrt() + distance * _TINY)
            weight.sub_(by, alpha=distance)


def _moved(optimiser: torch.optim.Optimizer) -> list[tuple[Any, float]]:
    """Return the parameters with their learning rates."""
    return [(weight, group["lr"]) for group in optimiser.param_groups for weight in group["params"]]
