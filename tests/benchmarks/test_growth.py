"""What the benchmark of growing strength makes of pictures and scores."""

from pathlib import Path

import pytest

from benchmarks import strength
from benchmarks.edits.cases import make_cases
from benchmarks.edits.runner import Record, picture_path
from benchmarks.world.drawing import draw


def scores(*, edited: bool) -> dict[str, object]:
    """Return the scores of one picture."""
    same = {"kept": 1.0, "psnr_ideal": 20.0, "psnr_outside": 30.0}
    return {"edited": edited, "perfect": edited, **same}


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    """Give records and pictures of edits that are the input below alpha 1, and ideal from there."""
    found = []
    for case in make_cases("report", 3):
        by_alpha = {f"{alpha:g}": scores(edited=alpha >= 1) for alpha in strength.ALPHAS}
        found.append({"method": "alpha", "case": case.name, "kind": case.kind, "scores": by_alpha})
        for alpha in strength.ALPHAS:
            path = picture_path(tmp_path, "alpha", case.name, alpha)
            path.parent.mkdir(exist_ok=True)
            draw(case.ideal if alpha >= 1 else case.portrait).save(path)
    return found


def test_change_is_a_share_of_the_ideal_edits(records: list[Record], tmp_path: Path) -> None:
    """The input counts as no change, the ideal edit as 1, for every kind and for all together."""
    cases = make_cases("report", 3)

    found = strength.growth(records, cases, tmp_path)

    assert ["all", *(case.kind for case in cases)] == list(found)
    for points in found.values():
        assert [float(point["strength"] >= 1) for point in points] == [p["change"] for p in points]
        assert [point["change"] for point in points] == [point["edited"] for point in points]


def test_every_kind_has_a_panel(
    records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plot is written."""
    monkeypatch.setattr(strength, "PLOT", tmp_path / "plot.png")

    strength.plot(strength.growth(records, make_cases("report", 3), tmp_path))

    assert (tmp_path / "plot.png").stat().st_size > 5000
