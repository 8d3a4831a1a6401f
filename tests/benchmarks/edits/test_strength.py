"""What the study of growing strength makes of pictures and scores."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.edits.portraits import make_cases
from benchmarks.edits.studies import strength
from benchmarks.edits.study import Record, Run, picture_path

CASES = make_cases("report", 3)


def scores(*, edited: bool) -> dict[str, object]:
    """Return the scores of one picture."""
    same = {"kept": 1.0, "psnr_ideal": 20.0, "psnr_outside": 30.0}
    return {"edited": edited, "perfect": edited, **same}


@pytest.fixture
def growing(tmp_path: Path) -> dict[str, list[dict[str, float]]]:
    """Give what grows where edits are the input below alpha 1, and ideal from there."""
    found: list[Record] = []
    for case in CASES:
        by_alpha = {f"{alpha:g}": scores(edited=alpha >= 1) for alpha in strength.ALPHAS}
        found.append({"method": "alpha", "case": case.name, "kind": case.kind, "scores": by_alpha})
        for alpha in strength.ALPHAS:
            path = picture_path(tmp_path, "alpha", case.name, alpha)
            path.parent.mkdir(exist_ok=True)
            (case.ideal if alpha >= 1 else case.image).save(path)
    return strength.growth(Run(strength.STUDY, CASES, tmp_path), found)


def test_change_is_a_share_of_the_ideal_edits(growing: dict[str, Any]) -> None:
    """The input counts as no change, the ideal edit as 1, for every kind and for all together."""
    assert ["all", *(case.kind for case in CASES)] == list(growing)
    for points in growing.values():
        assert [float(point["strength"] >= 1) for point in points] == [p["change"] for p in points]
        assert [point["change"] for point in points] == [point["edited"] for point in points]


def test_every_kind_has_a_panel(growing: dict[str, Any], tmp_path: Path) -> None:
    """The plot is written."""
    strength.plot(growing, tmp_path / "plot.png")

    assert (tmp_path / "plot.png").stat().st_size > 5000
