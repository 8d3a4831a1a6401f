"""LEDITS++ as the package's own bench has it, at several scales of one inversion."""

import copy
from dataclasses import dataclass
from typing import Any

from PIL import Image

from benchmarks.edits.methods.base import STEPS, Bench
from benchmarks.edits.suite import Case
from imagic_lora.bench.rivals import ledits


@dataclass(frozen=True)
class LeditsPP:
    """LEDITS++; the strength is the scale of its edit guidance.

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
        parts = copy.copy(bench.pipeline)
        parts.unet = copy.deepcopy(parts.unet)  # its attention is changed
        pipeline = ledits.of_parts(parts)
        ledits.invert(pipeline, case.image, STEPS, self.skip)
        return pipeline

    def edit(self, bench: Bench, case: Case, prepared: Any, strength: float) -> Image.Image:  # noqa: ARG002 (the pipeline has all)
        """Denoise with guidance towards the prompt."""
        return ledits.edited(prepared, case.target, strength, self.threshold)

    def facts(self, prepared: Any) -> dict[str, float]:
        """Return the bytes of the inverted latents and the noise maps, in half precision."""
        return {"bytes": 2 * (prepared.zs.numel() + prepared.init_latents.numel())}
