"""Edit and score one of the field's benchmarks: `python -m benchmarks.field NAME --data DIR`.

Without --model nothing is edited: with --score the pictures of others are scored alone. Given again,
the command goes on where it was stopped.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.field.catalogue import BENCHMARKS, SCORERS, WEIGHTS
from benchmarks.field.evaluation import Evaluation, carry_out
from benchmarks.field.methods import METHODS
from benchmarks.world.pipeline import REPOSITORY
from imagic_lora.errors import ImagicError, InputError

STAGES = ("edit", "score", "report")


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns 2 where something was asked that cannot be."""
    options = _parser().parse_args(arguments)
    try:
        asked = Evaluation(
            benchmark=BENCHMARKS[options.name],
            data=options.data,
            out=options.out or REPOSITORY / "build" / "field" / options.name,
            model=options.model,
            side=options.side,
            captions=options.captions,
            limit=options.limit,
            methods=tuple(options.methods),
            others=_pairs("--score", options.score),
            scorers=tuple(options.scorers or BENCHMARKS[options.name].scorers),
            weights={**WEIGHTS, **_known(_pairs("--weights", options.weights))},
        )
        if options.check:
            return check(asked)
        carry_out(asked, options.stages, options.processes)
    except ImagicError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def check(asked: Evaluation) -> int:
    """Print what a folder holds and all that is wrong with it; return 2 where something is."""
    loaded = asked.loaded
    print(f"{asked.benchmark.title}: {len(loaded.items)} items of", end=" ")
    print(f"{len({item.picture for item in loaded.items})} pictures")
    for kind in asked.benchmark.kinds:
        print(f"  {sum(item.kind == kind for item in loaded.items):4d}  {kind}")
    for problem in loaded.problems:
        print(f"bad: {problem}")
    return 2 if loaded.problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.field", description=__doc__)
    add = parser.add_argument
    add("name", choices=BENCHMARKS)
    add("--data", type=Path, required=True, help="folder in the authors' layout")
    add("--check", action="store_true", help="print what the folder holds, and stop")
    add("--model", type=Path, help="pipeline folder of the model that edits")
    add("--side", type=int, default=512, help="side that it was trained on, in pixels")
    add("--out", type=Path, help="where all results go; default: build/field/NAME")
    add("--captions", type=Path, help="JSON of captions, where the authors give instructions alone")
    add("--methods", nargs="+", choices=METHODS, default=[*METHODS])
    add("--limit", type=int, help="so many items, evenly over the kinds")
    add("--score", nargs="+", metavar="[ROW=]DIR", default=[], help="folders of others' pictures")
    add("--scorers", nargs="+", choices=SCORERS)
    add("--weights", nargs="+", metavar="SCORER=DIR", default=[])
    add("--stages", nargs="+", choices=STAGES, default=[*STAGES])
    add("--processes", type=int, default=1, help="cases that are edited at once")
    return parser


def _pairs(flag: str, values: Sequence[str]) -> dict[str, str]:
    """Return what was given as NAME=FOLDER; a folder alone is called by its own name."""
    found = {}
    for value in values:
        name, equals, folder = value.partition("=")
        name, folder = (name, folder) if equals else (Path(value).resolve().name, value)
        if name in found:
            raise InputError(
                f"{flag} names '{name}' twice; give each a name of its own, NAME=FOLDER."
            )
        found[name] = folder
    return found


def _known(weights: Mapping[str, str]) -> Mapping[str, str]:
    """Return weights, after a look whether there are such scorers."""
    for name in weights:
        if name not in WEIGHTS:
            raise InputError(f"--weights names '{name}', allowed is {', '.join(WEIGHTS)}.")
    return weights


if __name__ == "__main__":
    raise SystemExit(main())
