import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.edits import worlds
from benchmarks.edits.portraits import KINDS, make_case
from benchmarks.edits.scores import BEST_PSNR, distance, score
from benchmarks.world.judge import Judge
from benchmarks.world.portrait import ATTRIBUTES, Portrait
from imagic_lora.bench.metrics.base import Pair
from imagic_lora.bench.suites import own
from tests.support.command import runner

CASE = make_case("tune", 0)


class ReadsAs(Judge):
    """A judge that reads the same portrait off every picture."""

    def __init__(self, portrait: Portrait) -> None:
        super().__init__(width=4)
        self.portrait = portrait

    def forward(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return logits that are 1 at the portrait's values."""
        rows = zip(ATTRIBUTES.items(), self.portrait.labels(), strict=True)
        return {
            name: torch.eye(len(values))[label].expand(len(pictures), -1)
            for (name, values), label in rows
        }


@pytest.fixture
def scores(tmp_path: Path) -> Callable[[Portrait, Image.Image], Any]:
    """Give what scores a picture by a judge that reads a portrait off it."""
    (tmp_path / own.LIST).write_text(json.dumps([CASE.write(tmp_path)]))
    (item,) = own.load(tmp_path).items
    return lambda read, picture: score(ReadsAs(read), Pair.of(item, picture))


def test_the_ideal_edit_is_perfect(scores: Callable[..., Any]) -> None:
    """The drawing of the ideal edit scores the most there is."""
    found = scores(CASE.after, CASE.ideal)

    assert (True, 1.0, True) == (found["edited"], found["kept"], found["perfect"])
    assert (BEST_PSNR, BEST_PSNR) == (found["psnr_ideal"], found["psnr_outside"])
    assert 0 == found["distance_ideal"]


def test_the_input_is_kept_but_not_edited(scores: Callable[..., Any]) -> None:
    """Giving the input back keeps all and edits nothing."""
    found = scores(CASE.before, CASE.image)

    assert (False, 1.0, False) == (found["edited"], found["kept"], found["perfect"])
    assert BEST_PSNR == found["psnr_outside"]
    assert found["psnr_ideal"] < BEST_PSNR


def test_what_is_lost_counts(scores: Callable[..., Any]) -> None:
    """An edit that changes another attribute too is not perfect."""
    background = next(v for v in ATTRIBUTES["background"] if v != CASE.after.background)

    found = scores(CASE.after.replace(background=background), CASE.ideal)

    assert (True, 0.9, False) == (found["edited"], found["kept"], found["perfect"])


def test_only_what_should_stay_counts_outside(scores: Callable[..., Any]) -> None:
    """A spot counts outside the region of the edit, and does not count inside it."""
    before, ideal = (np.array(p, int) for p in (CASE.image, CASE.ideal))
    inside = np.abs(before - ideal).max(axis=2) > 40
    for spots, hurt in ((inside, False), (~inside & (before.max(axis=2) > 100), True)):
        spotted = ideal.copy()
        spotted[spots] = 0
        picture = Image.fromarray(spotted.astype(np.uint8))

        assert hurt == (scores(CASE.after, picture)["psnr_outside"] < BEST_PSNR)


def test_distance_grows_with_the_difference_to_see() -> None:
    """Equal pictures are at no distance; another shape is further away than another light."""
    judge, picture = Judge().eval(), CASE.image
    lighter = Image.fromarray((np.array(picture) * 0.97).astype(np.uint8))
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)

    near, far = (distance(judge, picture, one) for one in (lighter, Image.fromarray(noise)))

    assert 0 == distance(judge, picture, picture)
    assert 0 < near < far / 4


def test_a_world_is_one_more_set_of_the_bench(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Written to a folder, its edits are read, scored by its judge and reported."""
    worlds.main(["photos", "--cases", "8", "-o", str(tmp_path / "data")])
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for path in (tmp_path / "data" / "ideal").iterdir():
        shutil.copy(path, theirs / path.name)
    words = ("bench", "own", "--data", tmp_path / "data", "--score", theirs, "-o", tmp_path / "out")

    done = runner(capsys)(*words, "--own-scorer", "benchmarks.edits.scores:PHOTOS")

    assert 0 == done.code, done.err
    page = (tmp_path / "out" / "report.md").read_text()
    assert "8 of 8 items" in page
    assert all("## perfect, % ↑ by kind" in page and kind in page for kind in KINDS)
    rows = json.loads((tmp_path / "out" / "report.json").read_text())["rows"]["theirs"]
    assert BEST_PSNR == rows["psnr_ideal"]["value"]
    assert rows["perfect"]["value"] > 0.7  # of photographs the judge misreads some
