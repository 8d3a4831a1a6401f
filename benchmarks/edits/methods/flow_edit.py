"""Edits of flows without inversion: the difference of two velocities moves the input directly."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from PIL import Image

from benchmarks.edits.methods.base import Bench
from imagic_lora.bench.items import Item
from imagic_lora.bench.rivals.base import SEED
from imagic_lora.conditioning import Conditioning
from imagic_lora.images.pixels import to_images
from imagic_lora.models.base import LatentModel
from imagic_lora.seeding import generator, randn

_STEPS = 50


@dataclass(frozen=True, eq=False)
class Prompts:
    """What is edited: latents of the input, shape (1, C, h, w), and what the model reads."""

    latents: torch.Tensor
    empty: Conditioning
    source: Conditioning
    target: Conditioning


@dataclass(frozen=True, eq=False)
class Step:
    """One step of an edit.

    Attributes:
        model: The model.
        t: Its time, shape (1,).
        prompts: What the model reads.
        noised: The noised input, shape (1, C, h, w).
        moved: The same, moved as far as the edit is.
        strength: Guidance of the target.
    """

    model: LatentModel
    t: torch.Tensor
    prompts: Prompts
    noised: torch.Tensor
    moved: torch.Tensor
    strength: float

    def velocity(self, x_t: torch.Tensor, prompt: Conditioning) -> torch.Tensor:
        """Return what the model predicts, shape (1, C, h, w)."""
        return self.model.predict(x_t, self.t, prompt)


@dataclass(frozen=True)
class _Inversionless(ABC):
    """From the input, step by step along the noised input; the strength is the target's guidance.

    Attributes:
        pull: How strongly each step's estimate is drawn towards the source's.
        share: Share of the steps that are taken, the last ones.
        strengths: See Method.
        fixed: See Method.
    """

    pull: ClassVar[float] = 0.0
    share: float = 0.66
    strengths: tuple[float, ...] = (1.5, 2.0, 3.0, 5.0, 8.0, 13.5)
    fixed: float = 3.0

    def prepare(self, bench: Bench, case: Item) -> Prompts:
        """Encode the input and its prompts."""
        encoded = bench.editor.model.encode_prompt("", case.source or "", case.target).rows()
        return Prompts(bench.latents(case), *encoded)

    @torch.no_grad()
    def edit(self, bench: Bench, case: Item, prepared: Prompts, strength: float) -> Image.Image:  # noqa: ARG002 (the prompts have all)
        """Move the input towards the target."""
        model, moved = bench.editor.model, prepared.latents.clone()
        noises = generator(SEED, "flow noise")
        for t, step in self._times(model, moved.shape):
            noise = randn(tuple(moved.shape), noises).to(moved.device)
            noised = model.objective.add_noise(prepared.latents, noise, t)
            change = moved - prepared.latents
            difference = self.difference(
                Step(model, t, prepared, noised, noised + change, strength)
            )
            moved += step * difference + self.pull * (t * difference - change)
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
    def difference(self, at: Step) -> torch.Tensor:
        """Return how the velocity of the edit differs from the source's, shape (1, C, h, w)."""

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

    def difference(self, at: Step) -> torch.Tensor:
        """Return the difference of the guided velocities."""

        def guided(x_t: torch.Tensor, prompt: Conditioning, guidance: float) -> torch.Tensor:
            empty = at.velocity(x_t, at.prompts.empty)
            return torch.lerp(empty, at.velocity(x_t, prompt), guidance)

        towards = guided(at.moved, at.prompts.target, at.strength)
        return towards - guided(at.noised, at.prompts.source, self.source_guidance)


@dataclass(frozen=True)
class FlowAlign(_Inversionless):
    """Guidance from source to target, and a pull of the edit's estimate towards the source's.

    Source: Kim et al. 2025, arXiv 2505.23145, algorithm 1.
    """

    pull: ClassVar[float] = 0.01
    share: float = 1.0
    fixed: float = 5.0

    def difference(self, at: Step) -> torch.Tensor:
        """Return the difference from the velocity at the source."""
        source, target = at.prompts.source, at.prompts.target
        plain, aim = at.velocity(at.moved, source), at.velocity(at.moved, target)
        return torch.lerp(plain, aim, at.strength) - at.velocity(at.noised, source)
