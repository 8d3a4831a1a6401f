"""What the prompts of a batch of edits come to: found once, whatever the strength or the seed.

It knows adapters and captions; of models only that they encode prompts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from imagic_lora.captions import words
from imagic_lora.conditioning import Conditioning
from imagic_lora.editing.request import EditRequest
from imagic_lora.models.base import LatentModel
from imagic_lora.models.learned import captioned, encoded, restored
from imagic_lora.settings import EditSettings


@dataclass(frozen=True, eq=False)
class Prompts:
    """The conditionings between which a batch of edits moves, one row for each edit.

    Attributes:
        model: The model.
        requests: One for each row.
        settings: How to denoise.
    """

    model: LatentModel
    requests: Sequence[EditRequest]
    settings: EditSettings

    def encode(self) -> None:
        """Encode what an edit needs, while the denoiser is at rest."""
        _ = self.own, self.origin, self.target

    @cached_property
    def own(self) -> Conditioning:
        """What reconstructs the inputs, beside the adapters: their captions, or what stays of them.

        An interpolation starts at the optimised conditionings, as the paper's. A difference from
        there would push away from all that a fit has moved in them, too, many times as far.
        """
        adapters = [request.adapter for request in self.requests]
        captions = [adapter.record.source for adapter in adapters]
        if self.settings.direction == "guided":
            return captioned(self.model, captions) if self._held else self.origin
        held = [adapter.conditioning for adapter in adapters]
        fitted = restored(self.model, held, captions)
        return fitted.to(self.model.plan.device, torch.float32)

    @cached_property
    def shared(self) -> tuple[str | None, ...]:
        """What each target shares with its fit's caption; None where that is the whole caption."""
        if self.settings.direction == "interpolate" or self.settings.negative:
            return (None,) * len(self.requests)
        pairs = [(request.adapter.record.source, request.target) for request in self.requests]
        return tuple(
            words.in_common(caption, target) if words.says_more(caption, target) else None
            for caption, target in pairs
        )

    @cached_property
    def origin(self) -> Conditioning:
        """Where the differences to the targets start."""
        return self.caption if self.settings.direction == "guided" else self.own

    @cached_property
    def caption(self) -> Conditioning:
        """What the inputs show, in words: what the targets share with them, or the fits' captions."""
        sources = (request.adapter.record.source for request in self.requests)
        pairs = zip(self.shared, sources, strict=True)
        shown = [source if part is None else part for part, source in pairs]
        return captioned(self.model, shown)

    @cached_property
    def away(self) -> Conditioning:
        """What predictions are pushed away from: the negative prompt, where there is one."""
        settings = self.settings
        if settings.negative or settings.direction == "interpolate":
            return self.model.encode_prompt(settings.negative)
        return self.origin

    @cached_property
    def empty(self) -> Conditioning:
        """The empty prompt, for each row."""
        return self.model.encode_prompt("").select([0] * len(self.requests))

    @cached_property
    def target(self) -> Conditioning:
        """The targets' conditionings."""
        return encoded(self.model, [request.target for request in self.requests])

    @property
    def _held(self) -> bool:
        """Whether it takes all that the captions say to keep what the targets are silent about.

        It does not where targets repeat most, and have other words for the rest: that is to go.
        """
        inexact = self.settings.fidelity < 1
        return any(
            inexact or words.leaves_out(request.adapter.record.source, request.target)
            for part, request in zip(self.shared, self.requests, strict=True)
            if part is not None
        )
