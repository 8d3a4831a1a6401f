"""Measure every method of editing: `python -m benchmarks.edits`.

Given again, the command goes on where it was stopped. With `--small` it takes about ten minutes on
two cores and shows no more than the direction; the full run has every kind of edit fifteen times.
"""

from __future__ import annotations

import argparse
import os
from typing import get_args

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread in each of the processes

from benchmarks.edits.cases import Split, make_cases
from benchmarks.edits.methods import METHODS, SLOW, Bench
from benchmarks.edits.report import find_ceiling, with_distances, write_report
from benchmarks.edits.runner import BUILD, Run, run
from benchmarks.edits.sheets import write_curves, write_sheets
from benchmarks.world.judge import WEIGHTS
from benchmarks.world.pipeline import MODEL

FULL, SMALL = 120, 8
"""Cases of a run; the small one has every kind of edit once."""


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help=f"{SMALL} cases instead of {FULL}")
    parser.add_argument("--cases", type=int, help="another number of cases")
    parser.add_argument(
        "--slow-cases", type=int, help="cases to finish of the methods with a long fit"
    )
    parser.add_argument("--split", choices=get_args(Split), default="report")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    cases = make_cases(options.split, options.cases or (SMALL if options.small else FULL))
    quick, slow = ([n for n in options.methods if (n in SLOW) is s] for s in (False, True))
    folder, records = BUILD / options.split, []
    for names, these in ((quick, cases), (slow, cases[: options.slow_cases])):
        methods = {name: METHODS[name] for name in names}
        run(Run(folder, methods, tuple(these)), options.processes)
        # Of more cases than were asked for now, where an earlier run has finished them.
        records += Run(folder, methods, tuple(cases)).records()
    records.sort(key=lambda record: list(METHODS).index(record["method"]))
    bench = Bench.load(MODEL, WEIGHTS)
    ceiling = find_ceiling(bench, cases)
    records = with_distances(bench.judge, records, cases, folder)
    path = write_report(options.split, records, ceiling, cases)
    write_sheets(records, cases, folder)
    write_curves(records)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
