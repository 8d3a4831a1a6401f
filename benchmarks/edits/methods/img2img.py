"""Plain img2img: the input noised, then denoised towards the prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.edits.methods.base import SEED, STEPS
from benchmarks.world.drawing import draw
from imagic_lora import SamplingSettings

if TYPE_CHECKING:
    from PIL import Image

    from benchmarks.edits.cases import Case
    from benchmarks.edits.methods.base import Bench


@dataclass(frozen=True)
class Img2Img:
    """The product's own img2img; the strength is the share of the noise levels that are run.

    Attributes:
        guidance: Classifier-free guidance.
        strengths: See Method.
        fixed: See Method.
    """

    guidance: float = 2.0
    strengths: tuple[float, ...] = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9)
    fixed: float = 0.6

    def prepare(self, bench: Bench, case: Case) -> None:
        """Do nothing: there is no fit."""

    def edit(self, bench: Bench, case: Case, prepared: None, strength: float) -> Image.Image:  # noqa: ARG002 (nothing is prepared)
        """Noise and denoise."""
        settings = SamplingSettings(guidance=self.guidance, steps=STEPS, seed=SEED)
        picture = draw(case.portrait)
        return bench.editor.img2img(
            picture, case.target, strength=strength, settings=settings
        ).image

    def size(self, prepared: None) -> int:  # noqa: ARG002 (nothing is prepared)
        """Return that nothing is kept."""
        return 0
