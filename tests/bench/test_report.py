"""What holds for every table: how many, how sure, and what may be read beside it."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from imagic_lora.bench import report
from imagic_lora.bench.catalogue import BENCHMARKS
from imagic_lora.bench.intervals import Mean
from imagic_lora.bench.items import Item
from imagic_lora.bench.published import PUBLISHED
from imagic_lora.bench.report import Scored
from imagic_lora.bench.sheets import choose
from imagic_lora.runs.events import Outcome


@dataclass(frozen=True)
class Drawn:
    """Scores of made-up items."""

    row: str
    values: tuple[float | None, ...]

    def scored(self) -> list[Scored]:
        """Return them, of two kinds in turn."""
        kinds = ("add object", "change pose")
        return [
            Scored(
                self.row,
                Item(str(n), kinds[n % 2], Path("none"), "a target", "none"),
                {"clip": v, "psnr": None},
            )
            for n, v in enumerate(self.values)
        ]


def test_an_interval_is_as_wide_as_the_normal_one() -> None:
    """Of many items the bootstrap comes to 1.96 standard errors on both sides, each time the same."""
    values = np.random.default_rng(1).normal(5, 2, 400)
    mean = Mean.of([*map(float, values)])
    error = 1.96 * values.std() / 20

    assert pytest.approx(values.mean()) == mean.value
    assert mean.count == len(values)
    assert pytest.approx(values.mean() - error, abs=error / 8) == mean.low
    assert pytest.approx(values.mean() + error, abs=error / 8) == mean.high
    assert mean == Mean.of([*map(float, values)])
    assert Mean(3, 3, 3, 1) == Mean.of([3.0])


def test_a_score_that_an_item_does_not_have_is_left_out_of_the_mean() -> None:
    """It is counted neither as 0 nor as an item; a score that none has is no column."""
    found = report.means(Drawn("ours", (20.0, None, 30.0)).scored())

    assert ["clip"] == list(found["ours"])
    assert (25.0, 2) == (found["ours"]["clip"].value, found["ours"]["clip"].count)
    assert "PSNR" not in report.scores_table(found)
    assert "| ours | 25.00 [20.00, 30.00] n=2 |" in report.scores_table(found)


def test_kinds_have_means_of_their_own() -> None:
    """A kind that was not edited has none."""
    kinds = ("add object", "change pose", "change style")
    found = report.by_kind(Drawn("ours", (20.0, 26.0, 30.0)).scored(), kinds, "clip")

    assert [25.0, 26.0, None] == [m and m.value for m in found["ours"].values()]


def test_what_others_print_is_beside_ours_and_marked() -> None:
    """With fewer items than theirs a row is comparable to none, and a judge's never is."""
    pie = PUBLISHED["pie"][0]

    assert "Comparable: no: 20 of 700 items" in report.published(pie, 20)
    assert "Comparable: yes, for rows with SD 1.4" in report.published(pie, 700)
    assert "Comparable: no: scored by a judge" in report.published(PUBLISHED["uniedit"][0], 633)


def test_published_tables_have_whole_rows() -> None:
    """A figure stands in each column, or a dash; some are scored by ranks alone, or by nobody else."""
    assert {"gedit2", "genarena", "own"} == set(BENCHMARKS) - set(PUBLISHED)
    for one in (one for tables in PUBLISHED.values() for one in tables):
        assert {len(one.columns) + 1} == {len(row) for row in one.rows}


def test_fits_are_told_apart_from_edits() -> None:
    """A fit that several rows share is counted once; what was there before took no time."""
    first = Outcome(
        id="0_1",
        status="ok",
        adapter="a",
        fit_seconds=9.0,
        fit_forward=6,
        fit_forward_backward=48,
        seconds=2.0,
        forward=30,
        peak_bytes=5,
    )
    notes = [{"row": row, "item": "0"} for row in ("imagic_lora at 1", "imagic_lora, auto")]
    outcomes = [
        replace(first, notes=notes[0]),
        replace(first, seconds=4.0, fit_seconds=None, forward=60, peak_bytes=7, notes=notes[0]),
        replace(first, seconds=11.0, notes=notes[1]),
        replace(first, status="error", seconds=None, notes=notes[1]),
    ]

    found = report.costs(outcomes)

    assert ["imagic_lora at 1", "imagic_lora, auto"] == list(found)
    assert {
        "fits": 1,
        "fit_seconds": 9.0,
        "fit_forward": 6,
        "fit_forward_backward": 48,
        "edits": 2,
        "edit_seconds": 3.0,
        "edit_forward": 45,
        "peak_bytes": 7,
    } == found["imagic_lora at 1"]
    assert (1, 11.0) == (
        found["imagic_lora, auto"]["edits"],
        found["imagic_lora, auto"]["edit_seconds"],
    )


def test_sheets_show_the_best_the_worst_and_some_at_random() -> None:
    """They are ranked by a score, in the direction in which it is better."""
    ranks = [(str(n), float(n)) for n in range(20)]

    by_clip, by_error = choose(ranks), choose(ranks, higher=False)

    assert ["19", "18", "17", "16", "15", "14"] == by_clip["best"]
    assert by_clip["best"] == by_error["worst"]
    assert by_clip["random"] == by_error["random"]
    assert 6 == len(set(by_clip["random"]))
