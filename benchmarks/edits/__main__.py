"""Carry out a study of edits: `python -m benchmarks.edits [NAME]`.

Given again, the command goes on where it was stopped. With `--small` the comparison of all methods
takes about ten minutes on two cores and shows no more than the direction; the full run has every
kind of edit fifteen times.
"""

import argparse
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread in each of the processes

from benchmarks.edits.methods import Method
from benchmarks.edits.portraits import Split
from benchmarks.edits.studies import (
    automatic,
    captions,
    comparison,
    lever_quality,
    ranks,
    reuse,
    search,
    strength,
    tuning,
)
from benchmarks.edits.study import Study, carry_out
from benchmarks.world.worlds import WORLDS

SMALL = 8
"""Cases of a small run: every kind of edit once."""

_MODULES = (comparison, tuning, search, captions, reuse, strength, ranks, lever_quality)
_ALL = (*(module.STUDY for module in _MODULES), automatic.CLEAN, automatic.STRESS)
STUDIES: Mapping[str, Study] = {study.name: study for study in _ALL}
"""The studies by name; the first is the default."""


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", nargs="?", choices=STUDIES, default=next(iter(STUDIES)))
    parser.add_argument("--world", choices=WORLDS, default=next(iter(WORLDS)))
    parser.add_argument("--small", action="store_true", help=f"{SMALL} cases")
    parser.add_argument("--cases", type=int, help="another number of cases (of portraits: reuse)")
    parser.add_argument(
        "--slow-cases", type=int, help="cases to finish of the methods that take long"
    )
    parser.add_argument("--split", choices=get_args(Split))
    parser.add_argument("--methods", nargs="+", metavar="NAME", help="some of the methods alone")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    study = STUDIES[options.study].within(WORLDS[options.world])
    try:
        methods = chosen(study, options.methods)
    except ValueError as error:
        parser.error(str(error))
    asked = {
        "split": options.split,
        "count": options.cases or (SMALL if options.small else None),
        "slow_count": options.slow_cases,
        "methods": methods,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    print(f"wrote {carry_out(replace(study, **given), options.processes)}")


def chosen(study: Study, names: list[str] | None) -> Mapping[str, Method]:
    """Return some of a study's methods, by their names or by what stands before a colon in them.

    Args:
        study: The study.
        names: What was asked for; None is all.

    Raises:
        ValueError: When there is no such method, or the study compares all of its methods.
    """
    if names is None:
        return study.methods
    if study.whole:
        raise ValueError(f"{study.name} compares all of its methods; leave --methods out")
    short = dict.fromkeys(name.split(": ")[0] for name in study.methods)
    for name in names:
        if name not in (*study.methods, *short):
            allowed = ", ".join(short)
            raise ValueError(f"{study.name} has no method {name!r}; allowed: {allowed}")
    wanted = {*names}
    return {
        name: method
        for name, method in study.methods.items()
        if wanted & {name, name.split(": ")[0]}
    }


if __name__ == "__main__":
    main()
