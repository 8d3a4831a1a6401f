"""LEDITS++ as diffusers has it: perfect inversion with noise maps, then masked guidance."""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.pipelines.ledits_pp.pipeline_leditspp_stable_diffusion import (
    LEditsPPPipelineStableDiffusion,
)
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from PIL import Image

from benchmarks.edits.methods.base import SEED, STEPS, Bench
from benchmarks.edits.suite import Case


@dataclass(frozen=True)
class LeditsPP:
    """LEDITS++; the strength is the scale of its edit guidance.

    Its mask is that of the largest predicted differences alone. The other one, from attention at a
    quarter of the latents' resolution, needs cross-attention there, which this model does not have.
    Source: Brack et al. 2023, arXiv 2311.16711.

    Attributes:
        threshold: Share of the picture that the mask leaves out.
        skip: Share of the noisiest steps that are left out.
        strengths: See Method.
        fixed: See Method.
    """

    threshold: float = 0.9
    skip: float = 0.1
    strengths: tuple[float, ...] = (1.0, 2.0, 4.0, 6.0, 10.0, 15.0)
    fixed: float = 2.0

    def prepare(self, bench: Bench, case: Case) -> Any:
        """Invert the input and return the pipeline that holds the inversion."""
        parts = bench.pipeline
        pipeline = LEditsPPPipelineStableDiffusion(
            vae=parts.vae,
            text_encoder=parts.text_encoder,
            tokenizer=parts.tokenizer,
            unet=copy.deepcopy(parts.unet),  # it changes the attention processors
            scheduler=DPMSolverMultistepScheduler.from_config(
                parts.scheduler.config, algorithm_type="sde-dpmsolver++", solver_order=2
            ),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
        pipeline.set_progress_bar_config(disable=True)
        pipeline.invert(
            image=case.image,
            num_inversion_steps=STEPS,
            skip=self.skip,
            generator=torch.Generator().manual_seed(SEED),
        )
        return pipeline

    def edit(self, bench: Bench, case: Case, prepared: Any, strength: float) -> Image.Image:  # noqa: ARG002 (the pipeline has all)
        """Denoise with guidance towards the prompt."""
        image: Image.Image = prepared(
            editing_prompt=[case.target],
            edit_guidance_scale=strength,
            edit_threshold=self.threshold,
            use_intersect_mask=False,
        ).images[0]
        return image

    def facts(self, prepared: Any) -> dict[str, float]:
        """Return the bytes of the inverted latents and the noise maps, in half precision."""
        tensors: tuple[torch.Tensor, ...] = (prepared.zs, prepared.init_latents)
        return {"bytes": 2 * sum(tensor.numel() for tensor in tensors)}
