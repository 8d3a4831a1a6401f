"""LEDITS++ as diffusers has it: perfect inversion with noise maps, then masked guidance.

Source: Brack et al. 2023, arXiv 2311.16711.
"""

from dataclasses import dataclass
from inspect import signature
from typing import Any, ClassVar

import diffusers
import torch
from PIL import Image

from imagic_lora.bench.items import Item
from imagic_lora.bench.rivals.base import SEED, Lent, Paint

PIPELINES = {
    "StableDiffusionPipeline": "LEditsPPPipelineStableDiffusion",
    "StableDiffusionXLPipeline": "LEditsPPPipelineStableDiffusionXL",
}
"""The pipeline of LEDITS++ for a model's own; other models have none."""

_MULTIPLE = 32
"""What the sides of pictures must be multiples of, in pixels."""


@dataclass(frozen=True)
class LeditsPP:
    """LEDITS++ given the whole target as its one concept; its authors choose concepts by hand.

    Its mask is that of the largest predicted differences alone. The other one is from attention at
    a quarter of the latents' resolution, which not every model has.

    Attributes:
        scale: Scale of its edit guidance.
        threshold: Share of the picture that the mask leaves out.
        skip: Share of the noisiest steps that are left out.
        steps: Steps of the inversion.
    """

    row: ClassVar[str] = "ledits_pp"

    scale: float = 10.0
    threshold: float = 0.75
    skip: float = 0.15
    steps: int = 30

    def open(self, lent: Lent) -> Paint:
        """Return what inverts a picture and denoises it with guidance towards the target."""
        pipeline = of_parts(lent.pipeline())
        lent.passes.watch(pipeline.unet)

        def paint(picture: Image.Image, item: Item) -> Image.Image:
            invert(pipeline, _fitting(picture), self.steps, self.skip)
            return edited(pipeline, item.target, self.scale, self.threshold)

        return paint


def of_parts(pipeline: Any) -> Any:
    """Return the pipeline of LEDITS++ with the parts of a model's own.

    Args:
        pipeline: A pipeline that PIPELINES has; the attention of its denoiser is changed.
    """
    made = getattr(diffusers, PIPELINES[type(pipeline).__name__])
    parts = {name: pipeline.components.get(name) for name in signature(made).parameters}
    parts |= {"safety_checker": None, "requires_safety_checker": False, "add_watermarker": False}
    parts["scheduler"] = diffusers.DPMSolverMultistepScheduler.from_config(
        pipeline.scheduler.config, algorithm_type="sde-dpmsolver++", solver_order=2
    )
    parts = {name: value for name, value in parts.items() if name in signature(made).parameters}
    parts.pop("force_zeros_for_empty_prompt", None)
    found = made(**parts)
    found.set_progress_bar_config(disable=True)
    return found


def invert(pipeline: Any, picture: Image.Image, steps: int, skip: float) -> None:
    """Have a pipeline of LEDITS++ find the noise maps of a picture, and keep them.

    Args:
        pipeline: The pipeline.
        picture: The picture, of sides that are multiples of 32 pixels.
        steps: Steps of the inversion.
        skip: Share of the noisiest steps that are left out.
    """
    generator = torch.Generator().manual_seed(SEED)
    pipeline.invert(image=picture, num_inversion_steps=steps, skip=skip, generator=generator)


def edited(pipeline: Any, target: str, scale: float, threshold: float) -> Image.Image:
    """Return the picture that was inverted last, with guidance towards a target.

    Args:
        pipeline: The pipeline.
        target: The prompt.
        scale: Scale of the edit guidance.
        threshold: Share of the picture that the mask leaves out.
    """
    image: Image.Image = pipeline(
        editing_prompt=[target],
        edit_guidance_scale=scale,
        edit_threshold=threshold,
        use_intersect_mask=False,
    ).images[0]
    return image


def _fitting(picture: Image.Image) -> Image.Image:
    """Return a picture at the nearest size that the pipeline takes."""
    width, height = (max(1, round(side / _MULTIPLE)) * _MULTIPLE for side in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS)
