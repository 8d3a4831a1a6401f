"""What the prompts of edits ask for, read off predictions on the inputs: where, and how much.

Each is found once, when a prediction is made: the adapters are in the model then. It holds whatever
the strength and the seed.
"""

from dataclasses import dataclass
from functools import cached_property

import torch

from imagic_lora.editing import focus, guidance
from imagic_lora.editing.prompts import Prompts
from imagic_lora.editing.request import EditRequest
from imagic_lora.errors import SettingsError, warn
from imagic_lora.models.base import LatentModel
from imagic_lora.models.encoding import canvas_of
from imagic_lora.models.looks import Looks
from imagic_lora.settings import EditSettings


@dataclass(frozen=True, eq=False)
class Asked:
    """What a batch of edits asks for.

    Attributes:
        prompts: The requests with their conditionings.

    Raises:
        SettingsError: When the inputs are of several sizes.
    """

    prompts: Prompts

    def __post_init__(self) -> None:
        _ = self.latents  # what cannot be used is refused before any work begins

    @cached_property
    def latents(self) -> torch.Tensor:
        """Latents of the inputs, shape (B, C, h, w), float32."""
        prompts = self.prompts
        rows = [_resized(prompts.model, each, prompts.settings) for each in prompts.requests]
        if len({row.shape for row in rows}) > 1:
            records = [request.adapter.record for request in prompts.requests]
            sizes = sorted({f"{record.width}x{record.height}" for record in records})
            raise SettingsError(
                f"A batch of edits has one canvas, but the adapters were fitted at "
                f"{', '.join(sizes)}; give a width and a height, or make a batch of each size."
            )
        return torch.cat(rows)

    @property
    def seeks(self) -> bool:
        """Whether it has to be found how strongly the prompts pull."""
        return self.prompts.settings.guidance is None and self.prompts.away is self.prompts.origin

    @property
    def releases(self) -> bool:
        """Whether something that only the captions say may have to give way."""
        return self.prompts.origin is not self.prompts.own

    @property
    def guidance(self) -> tuple[float, ...]:
        """How strongly each prompt pulls at alpha 1: what was given, or as far as on any model."""
        given = self.prompts.settings.guidance
        if not self.seeks:
            return (guidance.FIXED if given is None else given,) * len(self.latents)
        # Rounded, so that a row comes to the same alone and in a batch.
        return tuple(round(guidance.PUSH * each, 3) for each in self._seen.reach.tolist())

    @property
    def change(self) -> torch.Tensor:
        """How much the targets change at each place, as a share of the most, shape (B, 1, h, w)."""
        return self._seen.change

    def pull(self, alphas: torch.Tensor) -> torch.Tensor:
        """Return how strongly each prompt pulls at a strength.

        Args:
            alphas: Strength of each row, shape (B,).
        """
        return alphas * torch.tensor(self.guidance, dtype=alphas.dtype)

    def released(self, alphas: torch.Tensor) -> torch.Tensor:
        """Return how much of what only the captions say gives way at a strength, as a share.

        Args:
            alphas: Strength of each row, shape (B,).

        Returns:
            Shares from 0 to 1, shape (B, 1, h, w).
        """
        share = self._seen.share
        return share * alphas.clamp(0, 1).to(share).view(-1, 1, 1, 1)

    @cached_property
    def _seen(self) -> "_Seen":
        """What is read off the predictions at all the prompts; they themselves are let go of."""
        prompts = self.prompts
        looks = Looks(prompts.model, self.latents.to(prompts.model.plan.device))
        at_origin, at_target = looks.at(prompts.origin), looks.at(prompts.target)
        differences = focus.differences(at_origin, at_target)
        reach, share = torch.ones(len(self.latents)), torch.ones_like(differences[0])
        if self.seeks:
            ends = (looks.at(prompts.empty), at_origin, at_target)
            reach = focus.reach(*(looks.noises(each) for each in ends))
            self._remark(reach)
        if self.releases:
            said = focus.differences(at_origin, looks.at(prompts.own))
            share = focus.asked_share(differences, said)
        return _Seen(reach, focus.change_map(differences), share)

    def _remark(self, reach: torch.Tensor) -> None:
        """Warn where an adapter has learned its picture so well that a prompt hardly moves it."""
        for request, found in zip(self.prompts.requests, reach.tolist(), strict=True):
            if found >= focus.FARTHEST:
                warn(
                    f"the adapter hardly lets {request.target!r} change its picture; fit it with a "
                    "smaller outweigh, or say more of what is to be different."
                )


@dataclass(frozen=True, eq=False)
class _Seen:
    """What was read off predictions: see `focus.reach`, `change_map` and `asked_share`."""

    reach: torch.Tensor
    change: torch.Tensor
    share: torch.Tensor


def _resized(model: LatentModel, request: EditRequest, settings: EditSettings) -> torch.Tensor:
    """Return an input's latents, resized when another size than the fit's is asked for."""
    record = request.adapter.record
    latents, fitted = request.adapter.latents.float(), (record.width, record.height)
    if settings.width is None and settings.height is None:
        return latents
    width, height = canvas_of(model, fitted, settings.width, settings.height)
    rows, columns = (
        round(side * latent / pixels)
        for side, latent, pixels in zip(
            (height, width), latents.shape[-2:], fitted[::-1], strict=True
        )
    )
    return torch.nn.functional.interpolate(latents, (rows, columns), mode="bilinear")
