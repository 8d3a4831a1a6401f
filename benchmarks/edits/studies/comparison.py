"""Every method on the same cases: the main comparison."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.edits.measuring import Record
from benchmarks.edits.methods import METHODS, SLOW
from benchmarks.edits.rates import curve, mean, means, perfect
from benchmarks.edits.sheets import write_sheet
from benchmarks.edits.study import Run, Study
from benchmarks.environment import RESULTS
from benchmarks.plots import plot
from imagic_lora.bench.rivals.plain import Autoencoder
from imagic_lora.bench.sheets import choose
from imagic_lora.images.reading import open_image

_AT_FIXED = ("kept", "edited", "psnr_ideal", "psnr_outside")
_COSTS = ("distance_ideal", "passes_fwd", "passes_fwd_bwd", "seconds_fit", "seconds", "bytes")

_Own = Mapping[str, Sequence[Record]]
"""Records by method."""


def summary(run: Run) -> dict[str, Any]:
    """Return the figures of all methods: on all their cases, on the shared ones, and by kind."""
    own = with_distances(run)
    path = RESULTS / f"{run.study.result}.json"
    before: Mapping[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    if before.get("split") != run.study.split:
        before = {"cases": 0}
    others = _others(own, len(run.cases), before)
    fewest = min((before["methods"][name]["cases"] for name in others), default=len(run.cases))
    first = {case.name for case in run.cases[:fewest]}
    shared = first.intersection(*({r["case"] for r in records} for records in own.values()))
    found = {
        "cases": len(run.cases),
        "methods": _summaries(own),
        "shared": _summaries(_only(own, "case", shared)),
        "curves": {name: curve(records) for name, records in own.items()},
        "by_kind": {kind: _summaries(_only(own, "kind", {kind})) for kind in run.study.suite.kinds},
        "ceiling": find_ceiling(run),
        "settings": {name: repr(METHODS[name]) for name in own},
    }
    return with_others(found, before)


def with_others(found: dict[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return a result with the methods that it lacks, and an earlier one of as many cases has.

    A baseline need not be run anew for every version of the product.

    Args:
        found: The new result.
        before: The earlier result; the commit of each method that is taken from it is kept.
    """
    others = _others(found["methods"], found["cases"], before)
    if not others:
        return found

    def joined(own: Mapping[str, Any], earlier: Mapping[str, Any]) -> dict[str, Any]:
        return {**own, **{name: earlier[name] for name in others if name in earlier}}

    whole = {key: joined(found[key], before[key]) for key in ("methods", "shared", "curves")}
    kinds = {kind: joined(own, before["by_kind"][kind]) for kind, own in found["by_kind"].items()}
    commits = dict.fromkeys(others, before["environment"]["commit"]) | {
        name: commit for name, commit in before.get("earlier", {}).items() if name in others
    }
    settings = joined(found["settings"], before["settings"])
    return {**found, **whole, "by_kind": kinds, "settings": settings, "earlier": commits}


def _others(own: Mapping[str, Any], cases: int, before: Mapping[str, Any]) -> list[str]:
    """Return the methods that an earlier result of as many cases has and a new one lacks."""
    return (
        [name for name in before["methods"] if name not in own] if before["cases"] == cases else []
    )


def with_distances(run: Run) -> dict[str, list[Record]]:
    """Return records with each picture's distance from the ideal edit, at the one strength."""
    cases = {case.name: case for case in run.cases}

    def scored(record: Record) -> Record:
        picture = run.picture(record, fixed_strength(record))
        distance = run.score(cases[record["case"]], picture)["distance_ideal"]
        return {**record, "distance_ideal": distance}

    return {name: [scored(one) for one in records] for name, records in run.by_method().items()}


def fixed_strength(record: Record) -> str:
    """Return the one strength that serves all cases of a record's method, as scores name it."""
    return f"{METHODS[record['method']].fixed:g}"


def _only(own: _Own, key: str, values: set[str]) -> _Own:
    """Return the records that have one of some values, without the methods that have none."""
    found = {name: [r for r in records if r[key] in values] for name, records in own.items()}
    return {name: records for name, records in found.items() if records}


def _summaries(own: _Own) -> dict[str, dict[str, float | None]]:
    return {name: summarise(records, METHODS[name].fixed) for name, records in own.items()}


def summarise(records: Sequence[Record], fixed: float) -> dict[str, float | None]:
    """Return the figures of one method; rates are 0 to 1.

    Args:
        records: Its records.
        fixed: The one strength that serves all cases.
    """
    at_fixed = [record["scores"][f"{fixed:g}"] for record in records]
    pairs = zip(records, at_fixed, strict=True)
    omitting = [score["perfect"] for record, score in pairs if record["style"] == "omitting"]
    return {
        **perfect(records),
        "perfect_fixed": mean(score["perfect"] for score in at_fixed),
        "perfect_omit": mean(omitting) if omitting else None,
        **means(at_fixed, _AT_FIXED),
        "fixed_strength": fixed,
        **means(records, _COSTS),
    }


def find_ceiling(run: Run) -> dict[str, float]:
    """Return what a perfect method would score: the judge and the autoencoder have faults too."""
    rebuild = Autoencoder().open(run.bench)
    ideals = [open_image(str(case.ideal)) for case in run.cases]
    rebuilt = [rebuild(one, case) for one, case in zip(ideals, run.cases, strict=True)]
    inputs = [open_image(case.picture) for case in run.cases]
    at_ideal, at_rebuilt, unedited = (
        [run.score(case, one) for case, one in zip(run.cases, pictures, strict=True)]
        for pictures in (ideals, rebuilt, inputs)
    )
    return {
        "judge_on_ideal": mean(one["perfect"] for one in at_ideal),
        "judge_on_reconstructed_ideal": mean(one["perfect"] for one in at_rebuilt),
        "psnr_reconstructed_ideal": mean((one["psnr_ideal"] for one in at_rebuilt), digits=2),
        "psnr_unedited_to_ideal": mean((one["psnr_ideal"] for one in unedited), digits=2),
        "distance_unedited_to_ideal": mean(one["distance_ideal"] for one in unedited),
    }


def write_pictures(run: Run, result: dict[str, Any]) -> None:
    """Write the sheets of the first method's best and worst cases, and of some at random."""
    leader, *_ = run.by_method().values()
    scores = [(record["case"], record["scores"][fixed_strength(record)]) for record in leader]
    # A perfect edit goes before any other, and a nearer one before one further from the ideal.
    ranks = [(case, (score["perfect"], score["psnr_ideal"])) for case, score in scores]
    for name, cases in choose(ranks).items():
        sheet = f"{run.study.result}-{name}"
        write_sheet(sheet, run, run.records, cases, fixed_strength)
    write_curves(result["curves"], RESULTS / f"{run.study.result}-curves.png")


def write_curves(curves: Mapping[str, Sequence[Mapping[str, float]]], path: Path) -> None:
    """Write the plot of success against preservation, a line for each method."""
    with plot(
        path,
        xlabel="share of the other attributes kept",
        ylabel="share of edits that show what was asked for",
        title="Success and preservation over strengths (the strongest is numbered)",
    ) as axes:
        for name, points in curves.items():
            kept, edited = ([point[axis] for point in points] for axis in ("kept", "edited"))
            axes.plot(kept, edited, marker="o", label=name, linewidth=2 if not axes.lines else 1)
            axes.annotate(f"{points[-1]['strength']:g}", (kept[-1], edited[-1]))


STUDY = Study(
    name="methods",
    result="edits",
    methods=METHODS,
    summary=summary,
    count=120,  # every kind of edit fifteen times
    slow=SLOW,
    pictures=write_pictures,
)
