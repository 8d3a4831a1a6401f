"""Edits of flows without inversion: the difference of two velocities moves the input directly."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from PIL import Image

from benchmarks.edits.methods.base import SEED, Bench
from benchmarks.edits.suite import Case
from imagic_lora.conditioning import Conditioning
from imagic_lora.images.pixels import to_images
from imagic_lora.models.base import LatentModel
from imagic_lora.seeding import generator, randn

_STEPS = 50
_PULL = 0.01
"""How strongly FlowAlign draws each step's estimate towards the source's."""


@dataclass(frozen=True, eq=False)
class Prompts:
    """What is edited: latents of the input, shape (1, C, h, w), and what the model reads."""

    latents: torch.Tensor
    empty: Conditioning
    source: Conditioning
    target: Conditioning


@dataclass(frozen=True)
class _Inversionless(ABC):
    """From the input, step by step along the noised input; the strength is the target's guidance.

    Attributes:
        share: Share of the steps that are taken, the last ones.
        strengths: See Method.
        fixed: See Method.
    """

    share: float = 0.66
    strengths: tuple[float, ...] = (1.5, 2.0, 3.0, 5.0, 8.0, 13.5)
    fixed: float = 3.0

    def prepare(self, bench: Bench, case: Case) -> Prompts:
        """Encode the input and its prompts."""
        encoded = bench.editor.model.encode_prompt("", case.source, case.target).rows()
        return Prompts(bench.latents(case.image), *encoded)

    @torch.no_grad()
    def edit(self, bench: Bench, case: Case, prepared: Prompts, strength: float) -> Image.Image:  # noqa: ARG002 (the prompts have all)
        """Move the input towards the target."""
        model, moved = bench.editor.model, prepared.latents.clone()
        noises = generator(SEED, "flow noise")
        for t, step in self._times(model, moved.shape):
            noise = randn(tuple(moved.shape), noises).to(moved.device)
            noised = model.objective.add_noise(prepared.latents, noise, t)
            moved += self.move(model, prepared, noised, moved - prepared.latents, t, step, strength)
        return to_images(model.decode(moved))[0]

    def _times(
        self, model: LatentModel, shape: torch.Size
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield the times that are taken, shape (1,), each with the step to the next one."""
        times = model.sampler("euler", _STEPS, tuple(shape)).times.to(torch.float32)
        ends = torch.cat([times[1:], times.new_zeros(1)])
        first = _STEPS - round(self.share * _STEPS)
        yield from zip(times[first:, None], (ends - times)[first:, None], strict=True)

    @abstractmethod
    def move(
        self,
        model: LatentModel,
        prompts: Prompts,
        noised: torch.Tensor,
        change: torch.Tensor,
        t: torch.Tensor,
        step: torch.Tensor,
        strength: float,
    ) -> torch.Tensor:
        """Return what one step adds, shape (1, C, h, w).

        Args:
            model: The model.
            prompts: What it reads.
            noised: The noised input.
            change: How far the input has been moved.
            t: Time, shape (1,).
            step: From there to the next one, below 0.
            strength: Guidance of the target.
        """

    def facts(self, prepared: Prompts) -> dict[str, float]:  # noqa: ARG002 (nothing is kept)
        """Return that nothing is kept."""
        return {"bytes": 0}


@dataclass(frozen=True)
class FlowEdit(_Inversionless):
    """Guided velocity at the target less that at the source, each from the empty prompt.

    Source: Kulikov et al. 2024, arXiv 2412.08629, algorithm 1.

    Attributes:
        source_guidance: Guidance of the source.
    """

    source_guidance: float = 3.5

    def move(
        self,
        model: LatentModel,
        prompts: Prompts,
        noised: torch.Tensor,
        change: torch.Tensor,
        t: torch.Tensor,
        step: torch.Tensor,
        strength: float,
    ) -> torch.Tensor:
        """Return the step times the difference of the velocities."""

        def velocity(x_t: torch.Tensor, prompt: Conditioning, guidance: float) -> torch.Tensor:
            plain = model.predict(x_t, t, prompts.empty)
            return torch.lerp(plain, model.predict(x_t, t, prompt), guidance)

        towards = velocity(noised + change, prompts.target, strength)
        return step * (towards - velocity(noised, prompts.source, self.source_guidance))


@dataclass(frozen=True)
class FlowAlign(_Inversionless):
    """Guidance from source to target, and a pull of the edit's estimate towards the source's.

    Source: Kim et al. 2025, arXiv 2505.23145, algorithm 1.
    """

    share: float = 1.0
    fixed: float = 5.0

    def move(
        self,
        model: LatentModel,
        prompts: Prompts,
        noised: torch.Tensor,
        change: torch.Tensor,
        t: torch.Tensor,
        step: torch.Tensor,
        strength: float,
    ) -> torch.Tensor:
        """Return the step times the difference of the velocities, and the pull."""
        moved = noised + change
        plain = model.predict(moved, t, prompts.source)
        towards = torch.lerp(plain, model.predict(moved, t, prompts.target), strength)
        difference = towards - model.predict(noised, t, prompts.source)
        return step * difference + _PULL * (t * difference - change)
