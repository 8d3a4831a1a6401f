"""The suites that there are: drawn portraits, photographed ones, and several edits of each."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

from PIL import Image

from benchmarks.edits.portraits import KINDS, PortraitCase, make_cases, make_targets
from benchmarks.edits.scores import distance, score
from benchmarks.edits.suite import Scores, Split
from benchmarks.world.judge import Judge, load_judge
from benchmarks.world.worlds import DRAWN, World


@dataclass(frozen=True)
class Portraits:
    """Portraits with a model that draws them and the judge that reads their attributes.

    Attributes:
        name: See Suite.
        kinds: See Suite.
        world: Whose portraits, model and judge.
    """

    name: str = "portraits"
    kinds: tuple[str, ...] = KINDS
    world: World = DRAWN

    @property
    def model(self) -> Path:
        """Pipeline folder of the model."""
        return self.world.model

    def within(self, world: World) -> "Portraits":
        """Return the same edits of the portraits of a world; another than the drawn one is named.

        Args:
            world: The world.
        """
        name = self.name if world == DRAWN else f"{self.name}-{world.name}"
        return replace(self, name=name, world=world)

    def cases(self, split: Split, count: int) -> Sequence[PortraitCase]:
        """Return the first cases of a split."""
        return make_cases(split, count, photographed=self.world.photographed)

    def score(self, picture: Image.Image, case: PortraitCase) -> Scores:
        """Return what the judge reads off a picture, and how near it is to the ideal drawing."""
        return asdict(score(_judge(self.world.weights), case, picture))

    def distance(self, first: Image.Image, second: Image.Image) -> float:
        """Return how different two pictures look to the judge."""
        return distance(_judge(self.world.weights), first, second)


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

    def cases(self, split: Split, count: int) -> Sequence[PortraitCase]:
        """Return the edits of the first portraits of a split."""
        photographed = self.world.photographed
        return [
            case
            for index in range(count)
            for case in make_targets(split, index, self.targets, photographed=photographed)
        ]


PORTRAITS = Portraits()
