"""The sets of edits that there are: of drawn portraits, of photographed ones, several of each.

    python -m benchmarks.edits.worlds photos --split tune --cases 24 -o FOLDER

writes one as a folder that `imagic-lora bench own --own-scorer benchmarks.edits.scores:PHOTOS` reads.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from benchmarks.edits.portraits import KINDS, PortraitCase, Split, make_cases, make_targets
from benchmarks.edits.scores import Judged
from benchmarks.world.worlds import DRAWN, WORLDS, World
from imagic_lora.bench.items import Item
from imagic_lora.bench.metrics.base import Scorer
from imagic_lora.bench.suites import own
from imagic_lora.files import write_atomic


@dataclass(frozen=True)
class Portraits:
    """Portraits with a model that draws them and the judge that reads their attributes.

    Attributes:
        name: Names its results.
        kinds: The kinds of edits, in the order of tables.
        world: Whose portraits, model and judge.
    """

    name: str = "portraits"
    kinds: tuple[str, ...] = KINDS
    world: World = DRAWN

    def within(self, world: World) -> "Portraits":
        """Return the same edits of the portraits of a world; another than the drawn one is named.

        Args:
            world: The world.
        """
        name = self.name if world == DRAWN else f"{self.name}-{world.name}"
        return replace(self, name=name, world=world)

    @property
    def scorer(self) -> Scorer:
        """What says how good an edit is."""
        return Judged(self.world.weights)

    def cases(self, split: Split, count: int) -> Sequence[PortraitCase]:
        """Return the first cases of a split, drawn.

        Args:
            split: Which cases to take from.
            count: How many.
        """
        return make_cases(split, count, photographed=self.world.photographed)

    def items(self, split: Split, count: int, folder: Path) -> tuple[Item, ...]:
        """Write the first cases of a split to a folder, and return them as it has them.

        Args:
            split: Which cases to take from.
            count: How many.
            folder: The folder.
        """
        rows = [case.write(folder) for case in self.cases(split, count)]
        write_atomic(folder / own.LIST, json.dumps(rows, indent=1).encode(), force=True)
        return own.load(folder).items


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


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("world", choices=WORLDS)
    parser.add_argument("--split", choices=get_args(Split), default="report")
    parser.add_argument("--cases", type=int, default=24)
    parser.add_argument("-o", "--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    world = WORLDS[options.world]
    items = PORTRAITS.within(world).items(options.split, options.cases, options.out)
    print(f"wrote {len(items)} edits to {options.out}; the model is {world.model}")


if __name__ == "__main__":
    main()
