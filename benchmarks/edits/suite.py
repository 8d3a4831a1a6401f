"""What methods are tried on: cases, the model that edits them, and what judges the results.

Methods know no more of it than a case's picture and prompts, so a drawn world and a set of photos
with published scores are tried alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from PIL import Image

Split = Literal["tune", "report"]
"""Settings are chosen on one, figures are quoted from the other."""

Scores = dict[str, Any]
"""What one picture is worth, by the name of the score."""


@dataclass(frozen=True)
class Case:
    """One edit to make.

    Attributes:
        name: Names the case in files; unique within a split.
        kind: Kind of edit.
        style: How the prompt is written.
        source: Caption of the input that names what the target names, and as it is in the input.
        target: The prompt.
        image: The input.
        ideal: The ideal edit, where it is known.
    """

    name: str
    kind: str
    style: str
    source: str
    target: str
    image: Image.Image = field(repr=False)
    ideal: Image.Image | None = field(default=None, repr=False, kw_only=True)


class Suite(Protocol):
    """Cases with a model and a judge: a value, sent to other processes as it is.

    Attributes:
        name: Names its results.
        kinds: The kinds of edits, in the order of tables.
        model: Pipeline folder of the model.
    """

    @property
    def name(self) -> str:
        """Names its results."""

    @property
    def kinds(self) -> Sequence[str]:
        """The kinds of edits."""

    @property
    def model(self) -> Path:
        """Pipeline folder of the model."""

    def cases(self, split: Split, count: int) -> Sequence[Case]:
        """Return the first cases of a split.

        Args:
            split: Which cases to take from.
            count: How many.
        """

    def score(self, picture: Image.Image, case: Any) -> Scores:
        """Return what an edited picture is worth.

        Where the ideal edit is known, "perfect", "edited", "kept", "psnr_ideal" and "psnr_outside"
        are among the scores, which the rates and figures are made of.

        Args:
            picture: What came back.
            case: What was asked for: one of this suite's own cases.
        """

    def distance(self, first: Image.Image, second: Image.Image) -> float:
        """Return how different two pictures look, from 0, the same, upwards."""
