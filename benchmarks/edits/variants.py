"""The product with a part of it replaced that no setting of it reaches, for `benchmarks.edits.search`.

Each variant puts something else in the place of one of the product's own functions for the length
of one fit or one edit. What helps here becomes a default of the product; nobody should use these.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import lru_cache, partial, partialmethod
from typing import TYPE_CHECKING, Any
from unittest import mock

import torch

from benchmarks.edits.methods.imagic import ImagicLora
from benchmarks.edits.optimisers import Prodigy, ScheduleFree
from imagic_lora import fitting, sampling
from imagic_lora.editing import Batch
from imagic_lora.seeding import randn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from PIL import Image

    from benchmarks.edits.cases import Case
    from benchmarks.edits.methods.base import Bench
    from imagic_lora import Adapter, FitSettings
    from imagic_lora.conditioning import Conditioning
    from imagic_lora.models import LatentModel
    from imagic_lora.progress import Progress

_Stage, _Task = fitting._Stage, fitting._Task
_OPTIMISER, _RUN, _GUIDED = _Stage.optimiser, _Stage.run, sampling.guided
_usual_target: Callable[[Batch], Conditioning] = Batch._target.func  # type: ignore[attr-defined]

_UP_TO_DOWN = 16
"""LoRA+: rate of the up matrices over that of the down ones, as its authors advise."""

_DECAY = 0.9
"""Share of the average of the weights that each step leaves."""


def _plus(stage: Any, embedding: list[Any], weights: list[Any]) -> torch.optim.Optimizer:
    """Return Adam with LoRA+'s two rates around the product's one.

    Source: Hayou et al. 2024, arXiv 2402.12354.
    """
    # Before the first step the up matrices are zero, and the down ones are not.
    down = [weight for weight in weights if weight.any()]
    up = [weight for weight in weights if not weight.any()]
    optimiser = _OPTIMISER(stage, embedding, down)
    (rate,) = (group["lr"] for group in optimiser.param_groups if group["params"] == down)
    optimiser.param_groups[-1]["lr"] = rate / _UP_TO_DOWN**0.5
    optimiser.add_param_group({"params": up, "lr": rate * _UP_TO_DOWN**0.5})
    return optimiser


def _falling(stage: Any, embedding: list[Any], weights: list[Any]) -> torch.optim.Optimizer:
    """Return Adam whose rates fall to zero in a straight line."""
    optimiser, steps = _OPTIMISER(stage, embedding, weights), stage.settings.steps
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / steps)
    optimiser.register_step_post_hook(lambda *_: schedule.step())
    return optimiser


def _brief(stage: Any, embedding: list[Any], weights: list[Any]) -> torch.optim.Optimizer:
    """Return Adam with a short memory of the gradient's size."""
    optimiser = _OPTIMISER(stage, embedding, weights)
    for group in optimiser.param_groups:
        group["betas"] = (0.9, 0.95)
    return optimiser


def _unscheduled(stage: Any, embedding: list[Any], weights: list[Any]) -> torch.optim.Optimizer:
    """Return schedule-free Adam at the product's rates."""
    usual = _OPTIMISER(stage, embedding, weights)
    return ScheduleFree(usual.param_groups, stage.settings.steps)


def _rate_free(stage: Any, embedding: list[Any], weights: list[Any]) -> torch.optim.Optimizer:
    """Return Adam that finds its rates."""
    return Prodigy(_OPTIMISER(stage, embedding, weights).param_groups)


def _averaged(
    stage: Any, phase: str, embedding: list[Any], weights: list[Any], initial: float
) -> bool:
    """Run a stage and leave the running average of what it moved, instead of the last values."""
    moved = [*embedding, *weights]
    averages = [tensor.detach().clone() for tensor in moved]

    def note(progress: Progress) -> None:
        for average, tensor in zip(averages, moved, strict=True):
            average.lerp_(tensor.detach(), 1 - _DECAY)
        stage.on_progress(progress)

    done = _RUN(replace(stage, on_progress=note), phase, embedding, weights, initial)
    for average, tensor in zip(averages, moved, strict=True):
        tensor.data.copy_(average)
    return done


def _at_random(task: Any, count: int, noise: Any, timesteps: Any) -> tuple[torch.Tensor, ...]:
    """Draw timesteps one by one, not one from each stratum."""
    e = randn((count, *task.latents.shape[1:]), noise)
    return e, torch.randint(task.model.objective.timesteps, (count,), generator=timesteps)


def _antithetic(task: Any, count: int, noise: Any, timesteps: Any) -> tuple[torch.Tensor, ...]:
    """Draw every noise twice, with both signs, at neighbouring timesteps."""
    e = randn((count // 2, *task.latents.shape[1:]), noise)
    pairs = torch.stack([e, -e], dim=1).flatten(0, 1)
    return pairs, task.model.objective.sample_timesteps(count, timesteps)


def _half(
    task: Any, count: int, noise: Any, timesteps: Any, *, first: float
) -> tuple[torch.Tensor, ...]:
    """Draw timesteps from the half of the schedule that begins at a share of it."""
    objective = task.model.objective
    begin = int(first * objective.timesteps)
    t = begin + objective.sample_timesteps(count, timesteps) // 2
    return randn((count, *task.latents.shape[1:]), noise), t


_FITS: Mapping[str, tuple[type, str, Any]] = {
    "LoRA+": (_Stage, "optimiser", _plus),
    "rates that fall to zero": (_Stage, "optimiser", _falling),
    "Adam's second memory at 0.95": (_Stage, "optimiser", _brief),
    "schedule-free Adam": (_Stage, "optimiser", _unscheduled),
    "rates found by Prodigy": (_Stage, "optimiser", _rate_free),
    "average of the weights": (_Stage, "run", _averaged),
    "timesteps not stratified": (_Task, "draw", _at_random),
    "antithetic noises": (_Task, "draw", _antithetic),
    "upper half of the timesteps": (_Task, "draw", partialmethod(_half, first=0.5)),
    "lower half of the timesteps": (_Task, "draw", partialmethod(_half, first=0.0)),
}


@dataclass(frozen=True)
class OtherFit(ImagicLora):
    """Fits with one part of the fit replaced.

    Attributes:
        change: Name of what is replaced.
    """

    change: str = ""

    def prepare(self, bench: Bench, case: Case) -> Adapter:
        """Fit the picture."""
        with mock.patch.object(*_FITS[self.change]):
            return super().prepare(bench, case)


@lru_cache(maxsize=1)
def _usual(bench: Bench, case: Case, fitting: FitSettings) -> Adapter:
    """Return the product's own fit of a case; many variants in a row begin with the same."""
    return ImagicLora(fitting=fitting).prepare(bench, case)


def _nothing_found(bench: Bench) -> Any:
    """Keep what the product has found for its edits from those of a variant, and the reverse."""
    return mock.patch.object(bench.editor, "_last_batch", None)


class _UsualFit(ImagicLora):
    """Fits as the product does; what differs comes after."""

    def prepare(self, bench: Bench, case: Case) -> Adapter:
        """Fit the picture."""
        return _usual(bench, case, self.fitting)


@dataclass(frozen=True)
class Reshaped(_UsualFit):
    """Edits with a part of what was fitted.

    Attributes:
        scale: What the LoRA is multiplied by.
        blocks: Where, as the beginning of the layers' names; everywhere by default.
        embedding: Whether the optimised embedding is kept; without it, the caption's own is used.
    """

    scale: float = 1.0
    blocks: str = ""
    embedding: bool = True

    def prepare(self, bench: Bench, case: Case) -> Adapter:
        """Fit the picture, then take part of it."""
        adapter = super().prepare(bench, case)
        lora = {
            name: tensor * (self.scale if self._is_scaled(name) else 1)
            for name, tensor in adapter.lora.items()
        }
        if self.embedding:
            return replace(adapter, lora=lora)
        caption = bench.editor.model.encode_prompt(case.source).to("cpu", torch.float16)
        return replace(adapter, lora=lora, conditioning=caption)

    def _is_scaled(self, name: str) -> bool:
        return name.startswith(self.blocks) and name.endswith("lora_B.weight")


@dataclass(frozen=True)
class SomeLevels(_UsualFit):
    """Edits with the LoRA switched in at some noise levels only.

    Attributes:
        low: Lowest of them, as a share of the schedule.
        high: Highest of them.
    """

    low: float = 0.0
    high: float = 1.0

    def edit(self, bench: Bench, case: Case, prepared: Adapter, strength: float) -> Image.Image:
        """Edit towards the case's target."""
        model, predict = bench.editor.model, bench.editor.model.predict

        def switched(x_t: torch.Tensor, t: torch.Tensor, prompt: Conditioning) -> torch.Tensor:
            if self.low <= t[0].item() / model.objective.timesteps <= self.high:
                return predict(x_t, t, prompt)
            with bench.editor._slots.holding((), x_t.device):
                return predict(x_t, t, prompt)

        with _nothing_found(bench), mock.patch.object(model, "predict", switched):
            return super().edit(bench, case, prepared, strength)


@dataclass(frozen=True)
class OtherDifference(_UsualFit):
    """Edits along another difference than the adapter's between the caption and the target.

    Attributes:
        base: Share of it that is the base model's, as in SINE.
        orthogonal: Whether the part of it along the predicted picture is left out.
    """

    base: float = 0.0
    orthogonal: bool = False

    def edit(self, bench: Bench, case: Case, prepared: Adapter, strength: float) -> Image.Image:
        """Edit towards the case's target."""
        guided = partial(self._guided, bench, case)
        with _nothing_found(bench), mock.patch.object(sampling, "guided", guided):
            return super().edit(bench, case, prepared, strength)

    def _guided(
        self,
        bench: Bench,
        case: Case,
        model: LatentModel,
        own: Conditioning,
        away: Conditioning,
        target: Conditioning,
        *shares: Any,
    ) -> sampling.Predictor:
        """Stand in for the product's guided predictions.

        Sources: Zhang et al. 2022 (SINE), arXiv 2212.04489, section 3.2; Sadat et al. 2024,
        arXiv 2410.02416, section 4.
        """
        whole, strength = _GUIDED(model, own, away, target, *shares), float(shares[0])
        if not strength:
            return whole
        still, asked = (_GUIDED(model, own, away, target, share) for share in (0, 1))
        start = model.encode_prompt(case.source) if away is own else away

        def predict(x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            at_own = still(x_t, t)
            difference = found = asked(x_t, t) - at_own
            if self.base:
                with bench.editor._slots.holding((), x_t.device):
                    base = model.predict(x_t, t, target) - model.predict(x_t, t, start)
                found = torch.lerp(found, base, self.base)
            if self.orthogonal:
                picture = _picture(model, x_t, t, at_own)
                along = (found * picture).sum() / picture.square().sum()
                found = found - along * picture
            return whole(x_t, t) + strength * (found - difference)

        return predict


@dataclass(frozen=True)
class SomeTokens(_UsualFit):
    """Edits towards a target that differs from where the edit starts in some tokens alone.

    The words that both prompts have are taken from the start, though the text encoder gives them
    other embeddings where other words stand before them.

    Attributes:
        end: Whether what follows the words differs too: it stands for the prompt as a whole.
    """

    end: bool = True

    def edit(self, bench: Bench, case: Case, prepared: Adapter, strength: float) -> Image.Image:
        """Edit towards the case's target."""

        def target(batch: Batch) -> Conditioning:
            return self._spliced(bench.editor.model, case, batch)

        with _nothing_found(bench), mock.patch.object(Batch, "_target", property(target)):
            return super().edit(bench, case, prepared, strength)

    def _spliced(self, model: Any, case: Case, batch: Batch) -> Conditioning:
        """Return the target with what it shares with the start in the start's words."""
        (shared,) = batch.shared
        start, target = batch._origin, _usual_target(batch)
        texts = (case.source if shared is None else shared, case.target)
        said, asked = (model._text.tokenizer(text).input_ids[:-1] for text in texts)
        tokens = target.tokens.clone()
        for same in SequenceMatcher(None, said, asked, autojunk=False).get_matching_blocks():
            tokens[:, same.b : same.b + same.size] = start.tokens[:, same.a : same.a + same.size]
        if not self.end:
            tokens[:, len(asked) :] = start.tokens[:, -1:]
        return replace(target, tokens=tokens)


def _picture(
    model: LatentModel, x_t: torch.Tensor, t: torch.Tensor, predicted: torch.Tensor
) -> torch.Tensor:
    """Return the clean latents that a prediction stands for."""
    signal, sigma = model.objective._levels(t, x_t)
    if model.objective.prediction == "epsilon":
        return (x_t - sigma * predicted) / signal
    return signal * x_t - sigma * predicted


REPLACED: Mapping[str, ImagicLora] = {
    **{change: OtherFit(change=change) for change in _FITS},
    "the caption's own embedding": Reshaped(embedding=False),
    "no LoRA": Reshaped(scale=0.0),
    "no LoRA, the caption's own embedding": Reshaped(scale=0.0, embedding=False),
    "half of the LoRA": Reshaped(scale=0.5),
    "LoRA at 1.5": Reshaped(scale=1.5),
    "no LoRA on the way down": Reshaped(scale=0.0, blocks="down_blocks"),
    "no LoRA on the way up": Reshaped(scale=0.0, blocks="up_blocks"),
    "LoRA at high noise only": SomeLevels(low=0.5),
    "LoRA at low noise only": SomeLevels(high=0.5),
    "half of the difference from the base model": OtherDifference(base=0.5),
    "all of the difference from the base model": OtherDifference(base=1.0),
    "difference across the picture only": OtherDifference(orthogonal=True),
    "words that differ, and the prompt's end": SomeTokens(),
    "words that differ": SomeTokens(end=False),
}
"""The product with one part replaced."""
