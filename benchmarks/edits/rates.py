"""From the records of finished cases to rates, curves and means."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.edits.measuring import Record
from benchmarks.edits.study import Run

_FIGURES = ("perfect", "edited", "kept", "psnr_ideal", "psnr_outside")


def mean(values: Iterable[Any], digits: int = 4) -> float:
    """Return the mean of some values, each a number or whether something is so."""
    listed = [float(value) for value in values]
    return round(sum(listed) / len(listed), digits)


def curve(records: Sequence[Record]) -> list[dict[str, float]]:
    """Return success and preservation at each strength of one method."""
    return [
        {
            "strength": float(strength),
            **{name: mean(r["scores"][strength][name] for r in records) for name in _FIGURES},
        }
        for strength in records[0]["scores"]
    ]


def perfect(records: Sequence[Record]) -> dict[str, float]:
    """Return how many cases of a method there are, and how many come out perfect.

    The automatic strength is the one that the product finds, or its rule for other methods: the
    nearest to the one that serves all cases at which the base model sees the edit done.
    """
    return {
        "cases": len(records),
        "perfect_auto": mean(r["automatic"]["perfect"] for r in records),
        "perfect_best": mean(any(s["perfect"] for s in r["scores"].values()) for r in records),
    }


def rate(records: Sequence[Record]) -> dict[str, float]:
    """Return how good a method is, and the one strength that serves it best."""
    fixed = max(curve(records), key=lambda point: (point["perfect"], point["psnr_ideal"]))
    return {
        **perfect(records),
        "perfect_fixed": fixed["perfect"],
        "psnr_ideal": fixed["psnr_ideal"],
        "fixed_strength": fixed["strength"],
    }


def rate_each(run: Run, label: str) -> list[dict[str, float | str]]:
    """Return how good each method of a run is, in the order of the methods.

    Args:
        run: A finished run.
        label: What a method's name is called in the result.
    """
    return [{label: name, **rate(records)} for name, records in run.by_method().items()]


def means(records: Sequence[Mapping[str, float]], names: Iterable[str]) -> dict[str, float]:
    """Return the means of some figures that all records have."""
    return {name: mean(record[name] for record in records) for name in names}
