"""Plain img2img: the input noised, then denoised towards the prompt."""

from dataclasses import dataclass

from PIL import Image

from benchmarks.edits.methods.base import STEPS, Bench
from imagic_lora.bench.items import Item
from imagic_lora.bench.rivals import plain
from imagic_lora.images.reading import open_image


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

    def prepare(self, bench: Bench, case: Item) -> None:
        """Do nothing: there is no fit."""

    def edit(self, bench: Bench, case: Item, prepared: None, strength: float) -> Image.Image:  # noqa: ARG002 (nothing is prepared)
        """Noise and denoise."""
        paint = plain.Img2Img(strength, self.guidance, STEPS).open(bench)
        return paint(open_image(case.picture), case)

    def facts(self, prepared: None) -> dict[str, float]:  # noqa: ARG002 (nothing is prepared)
        """Return that nothing is kept."""
        return {"bytes": 0}
