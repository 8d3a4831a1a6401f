"""What a caption is worth, and one that is found.

The same fits and edits with the caption that was written for the picture, with the part of the
target that the base model finds in it, and from the empty prompt.
"""

from typing import Any

from benchmarks.edits.methods.imagic import ImagicLora
from benchmarks.edits.rates import rate_each
from benchmarks.edits.study import Run, Study


def summary(run: Run) -> dict[str, Any]:
    """Return how good the edits are with each caption, and which ones were found."""
    found = [
        {
            "case": case.name,
            "written": case.source,
            "target": case.target,
            "found": run.bench.editor.caption(case.picture, case.target),
        }
        for case in run.cases
    ]
    return {"captions": rate_each(run, "caption"), "found": found}


STUDY = Study(
    name="captions",
    result="captions",
    methods={
        "written": ImagicLora(),
        "found in the target": ImagicLora(caption="found"),
        "none": ImagicLora(caption="empty"),
    },
    summary=summary,
)
