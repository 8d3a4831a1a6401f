"""imagic_lora as a user has it: one fit at a caption of the input, edits by alpha."""

from dataclasses import dataclass
from typing import Literal

from PIL import Image

from benchmarks.edits.methods.base import Bench
from imagic_lora import Adapter, EditRequest, EditSettings, FitSettings, ImagicEditor
from imagic_lora.bench.items import Item
from imagic_lora.editing.edits import Edits

FIT, EDIT = FitSettings(), EditSettings()

STRENGTHS = (0.375, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
"""Those that an automatic search may come to, but for the very ends."""


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
    strengths: tuple[float, ...] = STRENGTHS
    fixed: float = 1.0

    def editor(self, bench: Bench) -> ImagicEditor:
        """Return what fits and edits."""
        return bench.editor

    def fit(self, bench: Bench, case: Item) -> Adapter:
        """Fit the picture."""
        return self.editor(bench).fit(
            case.picture,
            target=case.target,
            source={"own": case.source, "empty": "", "found": None}[self.caption],
            settings=self.fitting,
        )

    def prepare(self, bench: Bench, case: Item) -> Edits:
        """Fit the picture, to be edited towards the case's target at any strength."""
        request = EditRequest(adapter=self.fit(bench, case), target=case.target)
        return self.editor(bench).edits([request], settings=self.editing)

    def edit(self, bench: Bench, case: Item, prepared: Edits, strength: float) -> Image.Image:  # noqa: ARG002 (the edits have all)
        """Make the edit at a strength."""
        return prepared.at([strength])[0].image

    def facts(self, prepared: Edits) -> dict[str, float | None]:
        """Return the size of the adapter's file, and the share of the loss that the fit left."""
        adapter = prepared.requests[0].adapter
        return {"bytes": len(adapter.to_bytes()), "gap": adapter.record.gap}
