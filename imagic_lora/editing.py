"""From what is asked of a batch of edits to what is predicted at each of their steps.

It knows adapters and settings; of models only that they encode prompts and predict.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from operator import itemgetter

import torch

from imagic_lora import focus, sampling, trail
from imagic_lora.conditioning import Conditioning, concatenate
from imagic_lora.models import LatentModel
from imagic_lora.request import EditRequest
from imagic_lora.settings import EditSettings


@dataclass(frozen=True)
class Batch:
    """Edits that are sampled together.

    Attributes:
        model: The model; it must hold the requests' adapters when a prediction is made.
        requests: One for each row.
        settings: How to denoise.
        latents: Latents of the inputs, shape (B, C, h, w), float32.
        shared: For each row the prompt that the difference to its target starts at: what the target
            shares with the input; None where that is all that the fit was made for.
        mask: Where the edits may change the pictures, shape (1, 1, h, w); None is everywhere.
    """

    model: LatentModel
    requests: Sequence[EditRequest]
    settings: EditSettings
    latents: torch.Tensor
    shared: Sequence[str | None]
    mask: torch.Tensor | None = None

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of each row."""
        return tuple(self.settings.seed if r.seed is None else r.seed for r in self.requests)

    def start(self) -> sampling.Start:
        """Return where denoising begins."""
        held = self.settings.fidelity or self.settings.focus or self.mask is not None
        strength = 1 - self.settings.structure_lock
        return sampling.Start(self.latents, strength, self.seeds, pure=not held)

    def predictor(self) -> sampling.Predictor:
        """Return what is predicted at each step."""
        settings, start, own, target = self.settings, self.start(), self._own(), self._target()
        shared = self._shared(own)
        away = self._away(shared)
        latents = start.latents.to(own.tokens.device)
        differ = partial(focus.differences, self.model, latents, shared, seeds=self.seeds)
        asked = cache(partial(differ, target))
        release = cache(lambda: focus.asked_share(asked(), differ(own)))
        alphas = torch.tensor([request.alpha for request in self.requests], dtype=torch.float64)
        predictor = self._directed(own, away, target, alphas, release)
        if start.pure:
            return predictor
        way = trail.Trail(self.model.objective, latents, start.noise().to(latents.device))
        if settings.fidelity:
            still = self._directed(own, away, target, torch.zeros_like(alphas), release)
            predictor = trail.faithful(predictor, still, way, settings.fidelity)
        if settings.focus or self.mask is not None:
            predictor = trail.masked(predictor, way, partial(self._free, latents, asked))
        return predictor

    def _directed(
        self,
        own: Conditioning,
        away: Conditioning,
        target: Conditioning,
        alphas: torch.Tensor,
        release: Callable[[], torch.Tensor],
    ) -> sampling.Predictor:
        """Return what is predicted where nothing holds the edits to their inputs."""
        settings = self.settings
        if settings.direction == "interpolate":
            return sampling.interpolated(self.model, away, own, target, alphas, settings.guidance)

        def let_go() -> torch.Tensor:
            return release() * alphas.clamp(0, 1).to(release()).view(-1, 1, 1, 1)

        strength = alphas * settings.guidance
        return sampling.guided(
            self.model, own, away, target, strength, None if settings.negative else let_go
        )

    def _own(self) -> Conditioning:
        """Return the optimised conditionings, one for each row."""
        fitted = concatenate([request.adapter.conditioning for request in self.requests])
        return fitted.to(self.model.plan.device, torch.float32)

    def _shared(self, own: Conditioning) -> Conditioning:
        """Return where the differences to the targets start, one for each row."""
        parts = [part for part in self.shared if part is not None]
        if not parts:
            return own
        encoded = iter(self.model.encode_prompt(*parts).rows())
        rows = zip(own.rows(), self.shared, strict=True)
        return concatenate([row if part is None else next(encoded) for row, part in rows])

    def _away(self, shared: Conditioning) -> Conditioning:
        """Return what predictions are pushed away from: the negative prompt, where there is one."""
        settings = self.settings
        if settings.negative or settings.direction == "interpolate":
            return self.model.encode_prompt(settings.negative)
        return shared

    def _target(self) -> Conditioning:
        """Return the targets' conditionings, one for each row; the same prompt is encoded once."""
        targets = [request.resolve_target() for request in self.requests]
        once = list(dict.fromkeys(targets))
        rows = [once.index(target) for target in targets]
        return self.model.encode_prompt(*once).map(itemgetter(rows))

    def _free(self, latents: torch.Tensor, asked: Callable[[], torch.Tensor]) -> torch.Tensor:
        """Return where the edits may change the pictures, shape (B, 1, h, w)."""
        found = torch.ones_like(latents[:, :1])
        if self.settings.focus:
            found = focus.focus_mask(focus.change_map(asked()), self.settings.focus)
            # At alpha 0 nothing is asked for, so where it would be asked for must not show.
            found[[request.alpha == 0 for request in self.requests]] = 1
        return found if self.mask is None else found * self.mask.to(found.device)
