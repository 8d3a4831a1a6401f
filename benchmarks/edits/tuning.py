"""Find the baselines' own best settings: `python -m benchmarks.edits.tuning`.

Every candidate edits the same cases of the `tune` split. What is best there is what the methods have
as defaults, and what the `report` split is measured at. Can be stopped and taken up again.
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread in each of the processes

from benchmarks.edits.cases import make_cases
from benchmarks.edits.methods import SLOW, Method
from benchmarks.edits.methods.full_unet import EmbeddingOnly, FullUNet
from benchmarks.edits.methods.img2img import Img2Img
from benchmarks.edits.methods.inversion import DdimInversion
from benchmarks.edits.methods.ledits import LeditsPP
from benchmarks.edits.report import curve, mean
from benchmarks.edits.runner import BUILD, Run, run
from benchmarks.environment import RESULTS, describe, write_result

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from benchmarks.edits.runner import Record

RESULT = RESULTS / "edits_tuning.json"

_NEAR, _FAR = (0.25, 0.5, 0.75, 1.0, 1.25), (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
"""Strengths of the paper's procedure; the far ones where the best of the near ones was the last."""

CANDIDATES: Mapping[str, Mapping[str, Method]] = {
    "img2img": {f"guidance {g:g}": Img2Img(guidance=g) for g in (2.0, 3.0, 5.0, 7.5)},
    "ddim_inversion": {"no settings": DdimInversion()},
    "ledits_pp": {
        f"threshold {threshold:g}, skip {skip:g}": LeditsPP(threshold=threshold, skip=skip)
        for threshold, skip in ((0.6, 0.1), (0.9, 0.1), (0.9, 0.25))
    },
    "embedding_only": {
        f"embedding at {rate:g}, guidance {guidance:g}": EmbeddingOnly(
            embedding_lr=rate, guidance=guidance
        )
        for rate, guidance in ((1e-3, 3.0), (3e-3, 3.0), (1e-2, 3.0), (1e-2, 2.0), (1e-2, 5.0))
    },
    "full_unet": {
        f"denoiser at {rate:g}, embedding at {own:g}, guidance {guidance:g}, strengths to "
        f"{strengths[-1]:g}": FullUNet(
            unet_lr=rate, embedding_lr=own, guidance=guidance, strengths=strengths
        )
        for rate, own, guidance, strengths in (
            (3e-5, 1e-2, 3.0, _NEAR),
            (1e-4, 1e-2, 3.0, _NEAR),
            (3e-4, 1e-2, 3.0, _NEAR),
            (1e-4, 1e-2, 2.0, _NEAR),
            (1e-4, 1e-2, 5.0, _NEAR),
            (1e-4, 3e-3, 3.0, _NEAR),
            (1e-4, 3e-3, 3.0, _FAR),
            (1e-4, 3e-3, 5.0, _FAR),
        )
    },
}
"""The methods in each of the settings that are tried."""


def rate(records: Sequence[Record]) -> dict[str, float]:
    """Return how good one candidate is, and the one strength that serves it best.

    Args:
        records: What came of it, a record for each case.
    """
    fixed = max(curve(records), key=lambda point: (point["perfect"], point["psnr_ideal"]))
    return {
        "cases": len(records),
        "perfect_auto": mean(r["scores"][r["chosen"]]["perfect"] for r in records),
        "perfect_best": mean(any(s["perfect"] for s in r["scores"].values()) for r in records),
        "perfect_fixed": fixed["perfect"],
        "psnr_ideal": fixed["psnr_ideal"],
        "fixed_strength": fixed["strength"],
    }


def rate_each(what: Run, processes: int) -> dict[str, dict[str, float]]:
    """Run methods on cases, and return how good each of them is, by its name.

    Args:
        what: What to run.
        processes: How many cases are worked on at once.
    """
    records = run(what, processes)
    return {
        name: rate([record for record in records if record["method"] == name])
        for name in what.methods
    }


def rated(methods: Sequence[str], count: int, slow: int, processes: int) -> Iterator[Any]:
    """Run the candidates of some methods; yield each method with its candidates, the best first.

    Args:
        methods: Names of the methods.
        count: How many cases.
        slow: How many cases for the methods with a long fit.
        processes: How many cases are worked on at once.
    """
    for name in methods:
        candidates = {f"{name}: {words}": one for words, one in CANDIDATES[name].items()}
        cases = make_cases("tune", slow if name in SLOW else count)
        rates = rate_each(Run(BUILD / "tuning", candidates, tuple(cases)), processes)
        found = [
            {"settings": words, **own}
            for words, own in zip(CANDIDATES[name], rates.values(), strict=True)
        ]
        key = ("perfect_fixed", "perfect_best", "perfect_auto", "psnr_ideal")
        yield name, sorted(found, key=lambda one: [one[k] for k in key], reverse=True)


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=24)
    parser.add_argument("--slow-cases", type=int, default=8, help="of methods with a long fit")
    parser.add_argument("--methods", nargs="+", choices=CANDIDATES, default=list(CANDIDATES))
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    found = dict(rated(options.methods, options.cases, options.slow_cases, options.processes))
    path = write_result(
        "edits_tuning", {"split": "tune", "methods": found, "environment": describe()}
    )
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
