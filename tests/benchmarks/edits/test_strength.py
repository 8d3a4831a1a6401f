"""What the study of growing strength makes of pictures and scores."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmarks.edits.measuring import Record, picture_path
from benchmarks.edits.portraits import KINDS
from benchmarks.edits.studies import strength
from benchmarks.edits.study import Run
from benchmarks.edits.worlds import PORTRAITS


def scores(*, edited: bool) -> dict[str, object]:
    """Return the scores of one picture."""
    same = {"kept": 1.0, "psnr_ideal": 20.0, "psnr_outside": 30.0}
    return {"edited": edited, "perfect": edited, **same}


@pytest.fixture
def growing(tmp_path: Path) -> dict[str, list[dict[str, float]]]:
    """Give what grows where edits are the input below alpha 1, and ideal from there."""
    found: list[Record] = []
    cases = PORTRAITS.items("report", 3, tmp_path / "cases")
    for case in cases:
        by_alpha = {f"{alpha:g}": scores(edited=alpha >= 1) for alpha in strength.ALPHAS}
        found.append({"method": "alpha", "case": case.name, "kind": case.kind, "scores": by_alpha})
        for alpha in strength.ALPHAS:
            path = picture_path(tmp_path, "alpha", case.name, alpha)
            path.parent.mkdir(exist_ok=True)
            shutil.copy(str(case.ideal if alpha >= 1 else case.picture), path)
    return strength.growth(Run(strength.STUDY, cases, tmp_path), found)


def test_change_is_a_share_of_the_ideal_edits(growing: dict[str, Any]) -> None:
    """The input counts as no change, the ideal edit as 1, for every kind and for all together."""
    assert ["all", *KINDS[:3]] == list(growing)
    for points in growing.values():
        assert [float(point["strength"] >= 1) for point in points] == [p["change"] for p in points]
        assert [point["change"] for point in points] == [point["edited"] for point in points]


def test_every_kind_has_a_panel(growing: dict[str, Any], tmp_path: Path) -> None:
    """The plot is written."""
    strength.plot(growing, tmp_path / "plot.png")

    assert (tmp_path / "plot.png").stat().st_size > 5000
