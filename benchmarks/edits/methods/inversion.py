"""DDIM inversion with the prompt swapped: the input is taken to its own noise, then back."""

from dataclasses import dataclass

import torch
from diffusers.schedulers.scheduling_ddim_inverse import DDIMInverseScheduler
from PIL import Image

from benchmarks.edits.methods.base import STEPS, Bench
from imagic_lora.bench.items import Item
from imagic_lora.editing import guidance
from imagic_lora.images.pixels import to_images


@dataclass(frozen=True)
class DdimInversion:
    """Inverted at the source caption, denoised at the target; the strength is the guidance.

    Guidance leads from the prediction at the source to that at the target: 0 gives the input back,
    1 swaps the prompt, more goes past it. Source: Song et al. 2020, arXiv 2010.02502, section 4.3.

    Attributes:
        strengths: See Method.
        fixed: See Method.
    """

    strengths: tuple[float, ...] = (0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
    fixed: float = 1.5

    @torch.no_grad()
    def prepare(self, bench: Bench, case: Item) -> torch.Tensor:
        """Return the noise that the input comes from."""
        model = bench.editor.model
        scheduler = DDIMInverseScheduler.from_pretrained(bench.model, subfolder="scheduler")
        scheduler.set_timesteps(STEPS)
        source, x_t = model.encode_prompt(case.source or ""), bench.latents(case)
        for t in scheduler.timesteps:
            x_t = scheduler.step(model.predict(x_t, t[None], source), t, x_t).prev_sample
        return x_t

    @torch.no_grad()
    def edit(
        self, bench: Bench, case: Item, prepared: torch.Tensor, strength: float
    ) -> Image.Image:
        """Denoise the input's own noise at the target."""
        model = bench.editor.model
        source, target = model.encode_prompt(case.source or ""), model.encode_prompt(case.target)
        predictor = guidance.classifier_free(model, source, target, strength)
        sampler, x_t = model.sampler("ddim", STEPS, tuple(prepared.shape)), prepared
        for t in sampler.times:
            x_t = sampler.step(predictor(x_t, t[None]), t, x_t, [])
        return to_images(model.decode(x_t))[0]

    def facts(self, prepared: torch.Tensor) -> dict[str, float]:
        """Return the bytes of the noise, in half precision."""
        return {"bytes": 2 * prepared.numel()}
