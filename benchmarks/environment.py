"""What a result was measured on, and where results are kept."""

import json
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

RESULTS = Path(__file__).parent / "results"
_PACKAGES = (
    "torch",
    "diffusers",
    "transformers",
    "peft",
    "accelerate",
    "safetensors",
    "numpy",
    "pillow",
)


def describe(device: str = "cpu") -> dict[str, Any]:
    """Return commit, versions and machine of a measurement.

    Args:
        device: The torch device that did the work.
    """
    return {
        "commit": _commit(),
        "versions": {"python": platform.python_version(), **{p: version(p) for p in _PACKAGES}},
        "device": _device_name(device),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }


def write_result(name: str, result: dict[str, Any]) -> Path:
    """Write a result as benchmarks/results/NAME.json and return the path.

    Args:
        name: Name of the benchmark.
        result: Plain values.
    """
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result, indent=2, sort_keys=True) + "\n")
    return path


def _commit() -> str:
    """Return the commit of the working tree, marked if files that matter have changed since.

    A copy without its history is told what it is a copy of: by COMMIT in the environment.
    """
    if told := os.environ.get("COMMIT"):
        return told
    head = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--", ":/imagic_lora", ":/benchmarks/*.py")
    return f"{head} with changes" if changed else head


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(RESULTS.parent), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _device_name(device: str) -> str:
    """Return what people call a device."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    names = (
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    )
    return f"CPU: {next(names, platform.machine())}"
