"""imagic_lora as a user has it: one fit at a caption of the input, edits by alpha."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.world.drawing import draw
from imagic_lora import Adapter, EditSettings, FitSettings
from imagic_lora.editing.alphas import AUTO_ALPHAS

if TYPE_CHECKING:
    from PIL import Image

    from benchmarks.edits.cases import Case
    from benchmarks.edits.methods.base import Bench


FIT, EDIT = FitSettings(), EditSettings()


@dataclass(frozen=True)
class ImagicLora:
    """The product at its defaults; the strength is alpha.

    Attributes:
        fitting: How to fit.
        editing: How to edit.
        captioned: Whether the fit is given the source caption, besides the target.
        strengths: See Method.
        fixed: See Method.
    """

    fitting: FitSettings = FIT
    editing: EditSettings = EDIT
    captioned: bool = True
    strengths: tuple[float, ...] = AUTO_ALPHAS
    fixed: float = 1.0

    def prepare(self, bench: Bench, case: Case) -> Adapter:
        """Fit the picture."""
        return bench.editor.fit(
            draw(case.portrait),
            target=case.target,
            source=case.source if self.captioned else "",
            settings=self.fitting,
        )

    def edit(self, bench: Bench, case: Case, prepared: Adapter, strength: float) -> Image.Image:
        """Edit towards the case's target."""
        return bench.editor.edit(
            prepared, target=case.target, alpha=strength, settings=self.editing
        ).image

    def size(self, prepared: Adapter) -> int:
        """Return the size of the adapter's file."""
        return len(prepared.to_bytes())


@dataclass(frozen=True)
class Found(ImagicLora):
    """The product where it is given a target alone."""

    def prepare(self, bench: Bench, case: Case) -> Adapter:
        """Fit the picture."""
        return bench.editor.fit(draw(case.portrait), target=case.target, settings=self.fitting)
