"""LEDITS++ as the package's own bench has it, at several scales of one inversion."""

from dataclasses import dataclass
from typing import Any

from PIL import Image

from benchmarks.edits.methods.base import STEPS, Bench
from imagic_lora.bench.items import Item
from imagic_lora.bench.rivals import ledits
from imagic_lora.images.reading import open_image


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

    def prepare(self, bench: Bench, case: Item) -> Any:
        """Invert the input and return the pipeline that holds the inversion."""
        ledits.invert(bench.ledits, open_image(case.picture), STEPS, self.skip)
        return bench.ledits

    def edit(self, bench: Bench, case: Item, prepared: Any, strength: float) -> Image.Image:  # noqa: ARG002 (the pipeline has all)
        """Denoise with guidance towards the prompt."""
        return ledits.edited(prepared, case.target, strength, self.threshold)

    def facts(self, prepared: Any) -> dict[str, float]:
        """Return the bytes of the inverted latents and the noise maps, in half precision."""
        return {"bytes": 2 * (prepared.zs.numel() + prepared.init_latents.numel())}
