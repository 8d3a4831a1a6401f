"""imagic_lora as a user has it: one fit at a caption of the input, edits by alpha."""

from dataclasses import dataclass
from typing import Literal

from PIL import Image

from benchmarks.edits.methods.base import Bench
from benchmarks.edits.suite import Case
from imagic_lora import Adapter, EditSettings, FitSettings
from imagic_lora.editing.alphas import AUTO_ALPHAS

FIT, EDIT = FitSettings(), EditSettings()


@dataclass(frozen=True)
class ImagicLora:
    """The product at its defaults; the strength is alpha.

    Attributes:
        fitting: How to fit.
        editing: How to edit.
        caption: What the fit is given besides the target: the case's own caption, the empty one,
            or none, so that one is found.
        strengths: See Method.
        fixed: See Method.
    """

    fitting: FitSettings = FIT
    editing: EditSettings = EDIT
    caption: Literal["own", "empty", "found"] = "own"
    strengths: tuple[float, ...] = AUTO_ALPHAS
    fixed: float = 1.0

    def prepare(self, bench: Bench, case: Case) -> Adapter:
        """Fit the picture."""
        return bench.editor.fit(
            case.image,
            target=case.target,
            source={"own": case.source, "empty": "", "found": None}[self.caption],
            settings=self.fitting,
        )

    def edit(self, bench: Bench, case: Case, prepared: Adapter, strength: float) -> Image.Image:
        """Edit towards the case's target."""
        return bench.editor.edit(
            prepared, target=case.target, alpha=strength, settings=self.editing
        ).image

    def facts(self, prepared: Adapter) -> dict[str, float | None]:
        """Return the size of the adapter's file, and the share of the loss that the fit left."""
        return {"bytes": len(prepared.to_bytes()), "gap": prepared.record.gap}
