"""From what is asked of a batch of edits to what is predicted at each of their steps.

It knows adapters and settings; of models only that they encode prompts and predict.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter

import torch

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.conditioning import Conditioning, concatenate
from imagic_lora.editing import focus, sampling
from imagic_lora.editing import trajectory as trail
from imagic_lora.models.base import LatentModel
from imagic_lora.settings import EditSettings


@dataclass(frozen=True, eq=False)
class Batch:
    """Edits that are sampled together, at any alphas.

    What does not depend on alpha is found when it is first needed, and once: a sweep asks for the
    same edits again and again.

    Attributes:
        model: The model; it must hold the adapters when a prediction is made.
        adapters: One for each row.
        targets: Prompt of each row's edit.
        seeds: Seed of each row.
        settings: How to denoise.
        latents: Latents of the inputs, shape (B, C, h, w), float32.
        shared: For each row the prompt that the difference to its target starts at: what the target
            shares with the input; None where that is all that the fit was made for.
        mask: Where the edits may change the pictures, shape (1, 1, h, w); None is everywhere.
    """

    model: LatentModel
    adapters: Sequence[Adapter]
    targets: Sequence[str]
    seeds: tuple[int, ...]
    settings: EditSettings
    latents: torch.Tensor
    shared: Sequence[str | None]
    mask: torch.Tensor | None = None

    @cached_property
    def start(self) -> sampling.Start:
        """Where denoising begins."""
        held = self.settings.fidelity or self.settings.focus or self.mask is not None
        strength = 1 - self.settings.structure_lock
        return sampling.Start(self.latents, strength, self.seeds, pure=not held)

    def predictor(self, alphas: Sequence[float]) -> sampling.Predictor:
        """Return what is predicted at each step.

        Args:
            alphas: Prompt strength of each row.
        """
        predictor = self._directed(alphas)
        if self.start.pure:
            return predictor
        if self.settings.fidelity:
            predictor = trail.faithful(predictor, self._missed, self.settings.fidelity)
        if self.settings.focus or self.mask is not None:
            predictor = trail.masked(predictor, self._way, lambda: self._free(alphas))
        return predictor

    def _directed(self, alphas: Sequence[float]) -> sampling.Predictor:
        """Return what is predicted where nothing holds the edits to their inputs."""
        settings, weight = self.settings, torch.tensor(alphas, dtype=torch.float64)
        own, away, target = self._own, self._away, self._target
        if settings.direction == "interpolate":
            return sampling.interpolated(self.model, away, own, target, weight, settings.guidance)

        def release() -> torch.Tensor:
            return self._asked_share * weight.clamp(0, 1).to(self._asked_share).view(-1, 1, 1, 1)

        strength = weight * settings.guidance
        return sampling.guided(
            self.model, own, away, target, strength, None if settings.negative else release
        )

    @cached_property
    def _own(self) -> Conditioning:
        """The optimised conditionings, one for each row."""
        fitted = concatenate([adapter.conditioning for adapter in self.adapters])
        return fitted.to(self.model.plan.device, torch.float32)

    @cached_property
    def _origin(self) -> Conditioning:
        """Where the differences to the targets start, one for each row."""
        parts = [part for part in self.shared if part is not None]
        if not parts:
            return self._own
        encoded = iter(self.model.encode_prompt(*parts).rows())
        rows = zip(self._own.rows(), self.shared, strict=True)
        return concatenate([row if part is None else next(encoded) for row, part in rows])

    @cached_property
    def _away(self) -> Conditioning:
        """What predictions are pushed away from: the negative prompt, where there is one."""
        settings = self.settings
        if settings.negative or settings.direction == "interpolate":
            return self.model.encode_prompt(settings.negative)
        return self._origin

    @cached_property
    def _target(self) -> Conditioning:
        """The targets' conditionings, one for each row; the same prompt is encoded once."""
        once = list(dict.fromkeys(self.targets))
        rows = [once.index(target) for target in self.targets]
        return self.model.encode_prompt(*once).map(itemgetter(rows))

    @cached_property
    def _way(self) -> trail.Trail:
        """The inputs' way through the noise."""
        device = self._own.tokens.device
        latents, noise = self.start.latents.to(device), self.start.noise().to(device)
        return trail.Trail(self.model.objective, latents, noise)

    @cached_property
    def _missed(self) -> trail.Missed:
        """What the reconstructions miss of the inputs."""
        return trail.missed(self._directed([0.0] * len(self.adapters)), self._way)

    def _differences(self, end: Conditioning) -> torch.Tensor:
        """Return how much predictions change at each place from the origin to another prompt."""
        latents = self.latents.to(end.tokens.device)
        return focus.differences(self.model, latents, self._origin, end, self.seeds)

    @cached_property
    def _asked(self) -> torch.Tensor:
        """How much the targets ask for a change at each place."""
        return self._differences(self._target)

    @cached_property
    def _asked_share(self) -> torch.Tensor:
        """How much of what is said at each place the targets ask for, shape (B, 1, h, w)."""
        return focus.asked_share(self._asked, self._differences(self._own))

    def _free(self, alphas: Sequence[float]) -> torch.Tensor:
        """Return where the edits may change the pictures, shape (B, 1, h, w)."""
        found = torch.ones_like(self._way.latents[:, :1])
        if self.settings.focus:
            found = focus.focus_mask(focus.change_map(self._asked), self.settings.focus)
            # At alpha 0 nothing is asked for, so where it would be asked for must not show.
            found[[alpha == 0 for alpha in alphas]] = 1
        return found if self.mask is None else found * self.mask.to(found.device)
