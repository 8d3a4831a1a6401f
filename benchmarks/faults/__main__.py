"""Carry out the campaigns against faults: `python -m benchmarks.faults [NAME ...]`.

Tries come in blocks, each from a seed of its own. What is done is in the result file after every
block, so the command goes on where it was stopped, and `--share` of the whole may be done first.
"""

import argparse
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch

from benchmarks.environment import RESULTS, describe, write_result
from benchmarks.faults import endings, files, works
from benchmarks.faults.stage import Stage
from benchmarks.faults.tally import Tally

NAME = "faults"
BLOCK = 50
"""Tries in a block."""

Campaign = Callable[[Stage, int, int], Tally]
CAMPAIGNS: Mapping[str, tuple[Campaign, int]] = {
    "mutated adapters": (files.adapters, 20_000),
    "headers of any values": (files.headers, 5_000),
    "LoRA files of other tools": (files.foreign, 10_000),
    "mutated pictures": (files.pictures, 20_000),
    "threads": (works.threads, 500),
    "errors anywhere": (works.errors, 300),
    "memory that runs out": (works.shortages, 2_500),
    "switches": (works.switches, 1_000),
    "kills and interrupts": (endings.kills, 300),
    "full disks": (endings.disks, 300),
}
"""The campaigns by name, with how many tries make a whole one."""


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CAMPAIGNS))
    parser.add_argument("--share", type=float, default=1.0, help="of the tries, 0 to 1")
    options = parser.parse_args(arguments)
    if unknown := {*options.names} - {*CAMPAIGNS}:
        parser.error(f"there is no campaign {', '.join(sorted(unknown))}")
    torch.set_num_threads(1)
    for name in options.names or CAMPAIGNS:
        print(name, carry_out(name, options.share).values())


def carry_out(name: str, share: float = 1.0, results: Path = RESULTS) -> Tally:
    """Do what is left of a campaign, block by block, and return all of its outcomes.

    Args:
        name: Name of the campaign.
        share: Share of its tries, 0 to 1.
        results: Where the result file is.
    """
    campaign, whole = CAMPAIGNS[name]
    environment = describe()
    done, tally = _former(name, results)
    blocks = max(1, round(share * whole / BLOCK))
    with TemporaryDirectory() as folder:
        stage = Stage(Path(folder))
        for seed in range(done, blocks):
            tally.add(campaign(stage, seed, min(BLOCK, whole)))
            _keep(name, seed + 1, tally, environment, results)
    return tally


def _former(name: str, results: Path) -> tuple[int, Tally]:
    """Return how many blocks are done, and what came of them."""
    known = _known(results).get(name)
    return (0, Tally()) if known is None else (known["blocks"], Tally.of(known))


def _known(results: Path) -> dict[str, Any]:
    path = results / f"{NAME}.json"
    found: dict[str, Any] = json.loads(path.read_text())["campaigns"] if path.exists() else {}
    return found


def _keep(name: str, blocks: int, tally: Tally, environment: dict[str, Any], results: Path) -> None:
    """Write down what was done, and with which commit."""
    found = {"blocks": blocks, "commit": environment["commit"], **tally.values()}
    result = {"environment": environment, "campaigns": _known(results) | {name: found}}
    if results == RESULTS:
        write_result(NAME, result)
    else:
        (results / f"{NAME}.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
