"""The campaigns of `benchmarks.faults`, a little of each: whatever is done, no fault arises."""

from pathlib import Path

import pytest

from benchmarks.faults import __main__ as campaigns
from benchmarks.faults import endings, files, works
from benchmarks.faults.stage import Stage
from benchmarks.faults.tally import Tally

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Give a tiny model and what is made with it."""
    return Stage(tmp_path_factory.mktemp("stage"))


@pytest.mark.parametrize(
    ("campaign", "count"),
    [
        (files.adapters, 40),
        (files.headers, 30),
        (files.foreign, 40),
        (files.pictures, 40),
        (works.threads, 4),
        pytest.param(works.errors, 6, marks=pytest.mark.slow),
        pytest.param(works.shortages, 6, marks=pytest.mark.slow),
        (works.switches, 4),
        (endings.disks, 30),
    ],
)
def test_nothing_goes_wrong(campaign: campaigns.Campaign, count: int, stage: Stage) -> None:
    """What is hostile is refused, what is disturbed leaves nothing behind, what is done is right."""
    found = campaign(stage, 1234, count)

    assert {} == dict(found.faults)
    assert count <= found.counts["tried"]


def test_a_campaign_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every block is done once, and the figures are those of all of them."""
    seeds: list[int] = []

    def campaign(_: Stage, seed: int, count: int) -> Tally:
        seeds.append(seed)
        if seed == 2 and seeds.count(2) == 1:
            raise KeyboardInterrupt
        found = Tally()
        found.counts["tried"] += count
        return found

    monkeypatch.setattr(campaigns, "CAMPAIGNS", {"any": (campaign, 4 * campaigns.BLOCK)})

    with pytest.raises(KeyboardInterrupt):
        campaigns.carry_out("any", results=tmp_path)
    tally = campaigns.carry_out("any", results=tmp_path)

    assert [0, 1, 2, 2, 3] == seeds
    assert 4 * campaigns.BLOCK == tally.counts["tried"]
