"""The suites that there are: the drawn portraits, and several edits of each of them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from PIL import Image

from benchmarks.edits.portraits import KINDS, PortraitCase, make_cases, make_targets
from benchmarks.edits.scores import distance, score
from benchmarks.edits.suite import Case, Scores, Split
from benchmarks.world.judge import WEIGHTS, Judge, load_judge
from benchmarks.world.pipeline import MODEL


@dataclass(frozen=True)
class Portraits:
    """The drawn portraits with the bundled model and the judge that reads their attributes.

    Attributes:
        name: See Suite.
        kinds: See Suite.
        model: See Suite.
        weights: File with the judge's weights.
    """

    name: str = "portraits"
    kinds: tuple[str, ...] = KINDS
    model: Path = MODEL
    weights: Path = WEIGHTS

    def cases(self, split: Split, count: int) -> Sequence[Case]:
        """Return the first cases of a split."""
        return make_cases(split, count)

    def score(self, picture: Image.Image, case: PortraitCase) -> Scores:
        """Return what the judge reads off a picture, and how near it is to the ideal drawing."""
        return asdict(score(_judge(self.weights), case, picture))

    def distance(self, first: Image.Image, second: Image.Image) -> float:
        """Return how different two pictures look to the judge."""
        return distance(_judge(self.weights), first, second)


@cache
def _judge(weights: Path) -> Judge:
    """Return the judge, loaded once in each process."""
    return load_judge(weights)


@dataclass(frozen=True)
class ManyTargets(Portraits):
    """Several edits of each portrait; its splits are counted in portraits.

    Attributes:
        targets: How many edits of each, up to 7.
    """

    targets: int = 5

    def cases(self, split: Split, count: int) -> Sequence[Case]:
        """Return the edits of the first portraits of a split."""
        indices = range(count)
        return [case for index in indices for case in make_targets(split, index, self.targets)]


PORTRAITS = Portraits()
