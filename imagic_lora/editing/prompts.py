"""What the prompts of a batch of edits come to: found once, whatever the strength or the seed.

It knows adapters and captions; of models only that they encode prompts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from imagic_lora.captions import words
from imagic_lora.conditioning import Conditioning, concatenate
from imagic_lora.editing.request import EditRequest
from imagic_lora.models.base import LatentModel
from imagic_lora.models.learned import restored
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

    @cached_property
    def own(self) -> Conditioning:
        """The optimised conditionings, which reconstruct the inputs."""
        adapters = [request.adapter for request in self.requests]
        held = [adapter.conditioning for adapter in adapters]
        fitted = restored(self.model, held, [adapter.record.source for adapter in adapters])
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
        parts = [part for part in self.shared if part is not None]
        if not parts:
            return self.own
        encoded = iter(self.model.encode_prompt(*parts).rows())
        rows = zip(self.own.rows(), self.shared, strict=True)
        return concatenate([row if part is None else next(encoded) for row, part in rows])

    @cached_property
    def caption(self) -> Conditioning:
        """What the inputs show, in words: what the targets share with them, or the fits' captions."""
        sources = (request.adapter.record.source for request in self.requests)
        pairs = zip(self.shared, sources, strict=True)
        return self.model.encode_prompt(*(one if part is None else part for part, one in pairs))

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
        """The targets' conditionings; the same prompt is encoded once."""
        targets = [request.target for request in self.requests]
        once = list(dict.fromkeys(targets))
        rows = [once.index(target) for target in targets]
        return self.model.encode_prompt(*once).select(rows)
