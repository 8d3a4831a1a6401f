"""How much of a model's hearing a fit has used up: what it changed, against what words change.

An adapter that changes predictions by many times what a prompt does drowns every prompt.
How soon that is depends on the model, not on the share of the loss that is left.
"""

from functools import partial

import torch

from imagic_lora.conditioning import Conditioning
from imagic_lora.fitting.loss import Loss
from imagic_lora.memory.relief import Relieved
from imagic_lora.models.looks import Looks


class Restraint:
    """What a fit has changed of a model's predictions so far.

    Args:
        loss: What is brought down, with nothing learned yet.
        words: Conditionings of a prompt and of none, batch 1.
        seed: Seed of the fit.
        work: Does a piece of work with relief.
    """

    def __init__(
        self, loss: Loss, words: tuple[Conditioning, Conditioning], seed: int, work: Relieved
    ) -> None:
        self._loss, self._work = loss, work
        self._looks = Looks(loss.model, loss.latents, seed, "looks")
        self._before = self._seen(loss.conditioning)
        device = loss.latents.device
        said, unsaid = (self._seen(each.to(device, torch.float32)) for each in words)
        self._said = _distance(said, unsaid)

    def used(self) -> float:
        """Return how many times as much as the words the fit changes what is predicted.

        It is 0 where the words change nothing, and can be no measure.
        """
        if not self._said:
            return 0.0
        return _distance(self._before, self._seen(self._loss.conditioning)) / self._said

    def _seen(self, conditioning: Conditioning) -> torch.Tensor:
        """Return what is predicted now, shape (looks, 1, C, h, w)."""
        return self._work(partial(self._looks.at, conditioning))


def _distance(one: torch.Tensor, other: torch.Tensor) -> float:
    """Return the root mean square of what differs."""
    return (one - other).square().mean().sqrt().item()
