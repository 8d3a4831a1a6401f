"""Loading a model of full size: ours against plain diffusers, and against a former version.

    git worktree add ../before COMMIT
    python -m benchmarks.loading --before ../before

A pipeline with the sizes of Stable Diffusion 1.5 and random weights is loaded in half precision, as
a GPU would have it, from a folder and from one file. Each load has a process of its own, and the
ways take turns, so that each has its own peak of memory and all the same machine. Writes
benchmarks/results/loading.json.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from benchmarks.checkpoint import save_checkpoint
from benchmarks.environment import describe, write_result
from benchmarks.full_size import build

ROOT = Path(__file__).parents[1]
ROUNDS = 3
"""Times that each way is timed; the median counts."""

_MEASURED = """
import json, resource, sys, time
from pathlib import Path
import torch
{imports}
source, config = map(Path, sys.argv[1:])
torch.set_num_threads(1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began = time.process_time()
loaded = {load}
seconds = time.process_time() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps([seconds, 1024 * peak]))
"""
"""Prints the processor's seconds, which other work does not lengthen, and the memory added."""

_OURS = _MEASURED.format(
    imports="from imagic_lora.memory import MemoryPlan\n"
    "from imagic_lora.models.loading import load_model\n"
    "import imagic_lora.models.stable_diffusion, diffusers, transformers",
    load="load_model(source, MemoryPlan(torch.device('cpu'), torch.float16), config=config)",
)
_THEIRS = _MEASURED.format(
    imports="from diffusers import StableDiffusionPipeline as made",
    load="made.from_pretrained(source, torch_dtype=torch.float16) if source.is_dir() else "
    "made.from_single_file(str(source), config=str(config), torch_dtype=torch.float16)",
)


def measure(program: str, root: Path, source: Path, config: Path) -> tuple[float, int]:
    """Return the seconds and the bytes of one load in a fresh process.

    Args:
        program: What loads.
        root: Checkout whose package is imported.
        source: The pipeline folder or the checkpoint file.
        config: The folder that a checkpoint file takes its configuration from.
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(source), str(config)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "HF_HUB_OFFLINE": "1"},
    )
    seconds, size = json.loads(done.stdout.splitlines()[-1])
    return seconds, size


def compare(ways: Mapping[str, tuple[str, Path]], source: Path, config: Path) -> dict[str, Any]:
    """Return the median seconds and bytes of each way to load a source, after one round unseen."""
    taken: dict[str, list[tuple[float, int]]] = {way: [] for way in ways}
    for number in range(ROUNDS + 1):
        for way, (program, root) in ways.items():
            found = measure(program, root, source, config)
            if number:  # the first one reads the disk
                taken[way].append(found)
    return {
        way: {
            "seconds": round(statistics.median(seconds for seconds, _ in found), 2),
            "bytes_added": int(statistics.median(size for _, size in found)),
        }
        for way, found in taken.items()
    }


def _commit_of(root: Path) -> str:
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    """Build, measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, required=True, help="checkout of a former version")
    before = parser.parse_args().before.resolve()
    ways = {"ours": (_OURS, ROOT), "ours, before": (_OURS, before), "diffusers": (_THEIRS, ROOT)}
    torch.set_num_threads(1)
    result: dict[str, Any] = {
        "environment": describe(),
        "before": _commit_of(before),
        "rounds": ROUNDS,
    }
    with tempfile.TemporaryDirectory() as temporary:
        folder, file = Path(temporary, "folder"), Path(temporary, "one.safetensors")
        pipeline = build()
        pipeline.save_pretrained(folder)
        save_checkpoint(pipeline, file)
        del pipeline
        result["bytes_file"] = file.stat().st_size
        for name, source in (("folder", folder), ("file", file)):
            result[name] = compare(ways, source, folder)
            print(name, result[name], flush=True)
    print(f"wrote {write_result('loading', result)}")


if __name__ == "__main__":
    main()
