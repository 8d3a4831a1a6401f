"""What every method of the benchmark is: work done once per case, then one picture a strength."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import torch
from PIL import Image

from benchmarks.edits.suite import Case, Suite
from benchmarks.world.pipeline import load_pipeline
from imagic_lora import ImagicEditor, MemoryPlan
from imagic_lora.editing import guidance, sampling
from imagic_lora.images.pixels import to_images, to_pixels
from imagic_lora.models.base import LatentModel
from imagic_lora.progress import ignore
from imagic_lora.runs.passes import Passes

STEPS = 30
"""Denoising steps of every method, as many as the product's default."""

SEED = 0


@dataclass(frozen=True, eq=False)
class Bench:
    """What the methods share.

    Attributes:
        suite: What is edited, and what judges it.
        editor: The product, over the suite's model.
        passes: Counts what goes through the model's denoiser and its copies.
    """

    suite: Suite
    editor: ImagicEditor
    passes: Passes

    @classmethod
    def load(cls, suite: Suite) -> "Bench":
        """Load the model of a suite, frozen."""
        editor = ImagicEditor.from_pretrained(suite.model, memory=MemoryPlan.automatic())
        passes = Passes()
        passes.watch(editor.model.denoiser)
        return cls(suite, editor, passes)

    @cached_property
    def pipeline(self) -> Any:
        """The same model as a diffusers pipeline, frozen and watched too."""
        pipeline = load_pipeline(self.suite.model, str(self.editor.plan.device))
        for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
            part.requires_grad_(requires_grad=False).eval()
        self.passes.watch(pipeline.unet)
        return pipeline

    def latents(self, picture: Image.Image) -> torch.Tensor:
        """Return a picture's latents, shape (1, C, h, w)."""
        return self.editor.model.encode_image(to_pixels(picture, picture.size))

    @torch.no_grad()
    def rebuilt(self, picture: Image.Image) -> Image.Image:
        """Return what the autoencoder alone makes of a picture."""
        return to_images(self.editor.model.decode(self.latents(picture)))[0]

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

    def prepare(self, bench: Bench, case: Case) -> Any:
        """Do what is done once per case, whatever the strength, and return what it gives."""

    def edit(self, bench: Bench, case: Case, prepared: Any, strength: float) -> Image.Image:
        """Make one picture."""

    def facts(self, prepared: Any) -> Mapping[str, float | None]:
        """Return what is noted besides the pictures: "bytes" to keep for later edits, and more."""
