"""InstructPix2Pix as diffusers has it: a model that was trained to follow instructions.

Source: Brooks et al. 2022, arXiv 2211.09800.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import diffusers
import torch
from PIL import Image

from imagic_lora.bench.items import Item
from imagic_lora.bench.rivals.base import SEED, Lent, Paint
from imagic_lora.models.parts.quiet import quiet


@dataclass(frozen=True)
class InstructPix2Pix:
    """InstructPix2Pix at its authors' guidance, given the instruction.

    Attributes:
        folder: Its pipeline folder.
        guidance: How much the instruction counts.
        image_guidance: How much the input counts.
        steps: Denoising steps.
    """

    row: ClassVar[str] = "instruct_pix2pix"

    folder: str
    guidance: float = 7.5
    image_guidance: float = 1.5
    steps: int = 50

    def open(self, lent: Lent) -> Paint:
        """Load its pipeline, on the device of the bench's model."""
        plan = lent.editor.plan
        with quiet():
            pipeline = _load(Path(self.folder)).to(plan.device, plan.dtype)
        lent.passes.watch(pipeline.unet)

        def paint(picture: Image.Image, item: Item) -> Image.Image:
            image: Image.Image = pipeline(
                item.instruction,
                image=picture,
                guidance_scale=self.guidance,
                image_guidance_scale=self.image_guidance,
                num_inference_steps=self.steps,
                generator=torch.Generator().manual_seed(SEED),
            ).images[0]
            return image

        return paint


def _load(folder: Path) -> Any:
    """Return the pipeline of a folder, without its checker."""
    pipeline = diffusers.StableDiffusionInstructPix2PixPipeline.from_pretrained(
        folder,
        local_files_only=True,
        use_safetensors=True,
        safety_checker=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
