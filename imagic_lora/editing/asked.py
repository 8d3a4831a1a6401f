"""What the prompts of edits ask for, read off predictions on the inputs: where, and how much.

Each is found once, when a prediction is made: the adapters are in the model then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from imagic_lora.conditioning import Conditioning
from imagic_lora.editing import focus, guidance
from imagic_lora.editing.prompts import Prompts


@dataclass(frozen=True, eq=False)
class Asked:
    """What a batch of edits asks for.

    Attributes:
        prompts: The requests with their conditionings.
        latents: Latents of the inputs, shape (B, C, h, w), on the device.
        seeds: Seed of each row.
    """

    prompts: Prompts
    latents: torch.Tensor
    seeds: Sequence[int]

    @property
    def seeks(self) -> bool:
        """Whether it has to be found how strongly the prompts pull."""
        return self.prompts.settings.guidance is None and self.prompts.away is self.prompts.origin

    @cached_property
    def guidance(self) -> tuple[float, ...]:
        """How strongly each prompt pulls at alpha 1: what was given, or as far as on any model."""
        given, prompts = self.prompts.settings.guidance, self.prompts
        if not self.seeks:
            return (guidance.PUSH if given is None else given,) * len(self.latents)
        ends = prompts.empty, prompts.origin, prompts.target
        reach = focus.reach(prompts.model, self.latents, *ends)
        # Rounded, so that a row comes to the same alone and in a batch.
        return tuple(round(guidance.PUSH * each, 3) for each in reach.tolist())

    @cached_property
    def differences(self) -> torch.Tensor:
        """How much the targets change at each place, shape (looks, B, 1, h, w)."""
        return self._between(self.prompts.target)

    @cached_property
    def share(self) -> torch.Tensor:
        """How much of what is said at each place the targets ask for, shape (B, 1, h, w)."""
        return focus.asked_share(self.differences, self._between(self.prompts.own))

    def _between(self, end: Conditioning) -> torch.Tensor:
        """Return how much predictions change at each place from the origin to another prompt."""
        prompts = self.prompts
        return focus.differences(prompts.model, self.latents, prompts.origin, end, self.seeds)
