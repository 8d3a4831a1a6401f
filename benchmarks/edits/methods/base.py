"""What every method of the benchmark is: work done once per case, then one picture a strength."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import torch
from PIL import Image

from imagic_lora import MemoryPlan
from imagic_lora.bench.items import Item
from imagic_lora.bench.rivals import ledits
from imagic_lora.bench.rivals.base import Lent
from imagic_lora.editing import guidance, sampling
from imagic_lora.images.pixels import to_images, to_pixels
from imagic_lora.images.reading import open_image
from imagic_lora.models.base import LatentModel
from imagic_lora.progress import ignore

STEPS = 30
"""Denoising steps of every method without a number of its own."""


class Bench(Lent):
    """The model that methods are lent, with what several of them do with it."""

    @classmethod
    def of(cls, model: Path) -> "Bench":
        """Return the bench of a model's folder, loaded when it is first needed."""
        return cls(model, {"memory": MemoryPlan.automatic()})

    @cached_property
    def ledits(self) -> Any:
        """The pipeline of LEDITS++ with the model's parts, watched."""
        pipeline = ledits.of_parts(self.pipeline())
        self.passes.watch(pipeline.unet)
        return pipeline

    def latents(self, case: Item) -> torch.Tensor:
        """Return the latents of an input, shape (1, C, h, w)."""
        picture = open_image(case.picture)
        return self.editor.model.encode_image(to_pixels(picture, picture.size))

    def sample(
        self, model: LatentModel, predictor: guidance.Predictor, start: sampling.Start
    ) -> Image.Image:
        """Denoise by DDIM and decode one picture.

        Args:
            model: The bench's model, or one with another denoiser.
            predictor: What is predicted at each step.
            start: Where to begin.
        """
        sampler = model.sampler("ddim", STEPS, tuple(start.latents.shape))
        latents = sampling.denoise(model, sampler, predictor, start, ignore)
        return to_images(model.decode(latents))[0]


class Method(Protocol):
    """A way to edit.

    Attributes:
        strengths: The strengths that are tried, rising; what they mean is the method's own.
        fixed: The one of them that serves all cases.
    """

    @property
    def strengths(self) -> tuple[float, ...]:
        """The strengths that are tried."""

    @property
    def fixed(self) -> float:
        """The strength that serves all cases."""

    def prepare(self, bench: Bench, case: Item) -> Any:
        """Do what is done once per case, whatever the strength, and return what it gives."""

    def edit(self, bench: Bench, case: Item, prepared: Any, strength: float) -> Image.Image:
        """Make one picture."""

    def facts(self, prepared: Any) -> Mapping[str, float | None]:
        """Return what is noted besides the pictures: "bytes" to keep for later edits, and more."""
