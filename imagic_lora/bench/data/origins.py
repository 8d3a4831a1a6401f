"""Where the sets are on the Hub, and which of their files are needed.

Nothing is asked of the Hub before somebody says so, and its size is said before anything is fetched.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from imagic_lora.errors import HubError, InputError, warn
from imagic_lora.hub import Dataset
from imagic_lora.units import bytes_text

ORIGINS: Mapping[str, Dataset] = MappingProxyType(
    {
        "tedbench++": Dataset("AIML-TUDA/TEdBench_plusplus", ("tedbench++.csv", "originals/*")),
        "uniedit": Dataset("wesar1/UniEditBench", ("images/*", "*.json", "*.jsonl")),
        "imgedit": Dataset("sysuyy/ImgEdit", ("Benchmark.tar",)),
        "gedit": Dataset(
            "stepfun-ai/GEdit-Bench",
            ("*.arrow", "*.parquet"),
            "50766778e2a737474c7e9bdf84cdce82c3ea3f4f",
        ),
        "gedit2": Dataset("GEditBench-v2/GEditBench-v2", ("*.parquet",)),
        "genarena": Dataset("rhli/genarena", ("basic/*.parquet",)),
    }
)
"""By the name of the set: at the commit that others have used, where one is known to us."""


def origin(name: str, revision: str, where: str) -> Dataset:
    """Return a set on the Hub.

    Args:
        name: Name of the set.
        revision: A commit, a branch or a tag; "" for the one of the set's origin.
        where: Where the set is to be had, to end a sentence with.

    Raises:
        InputError: When the set is not on the Hub in a form that can be used.
    """
    if name not in ORIGINS:
        raise InputError(f"'{name}' cannot be had from the Hub: {where}.")
    return replace(ORIGINS[name], revision=revision or ORIGINS[name].revision)


def to_fetch(dataset: Dataset) -> str:
    """Return how much of a set would have to be fetched, in words.

    Args:
        dataset: The set.

    Returns:
        "" for nothing, or where the Hub does not say: the cache may have all of it.
    """
    try:
        missing = dataset.missing_bytes()
    except HubError:
        return ""
    return f"{bytes_text(missing)} of the data set {dataset}" if missing else ""


def fetch(dataset: Dataset) -> Path:
    """Return the folder of a set in the cache, fetched unless it is there.

    Args:
        dataset: The set.

    Raises:
        HubError: When it is missing, or the Hub cannot be reached and the cache lacks some of it.
    """
    if size := to_fetch(dataset):
        warn(f"{size} are fetched from the Hub, and kept.")
    return dataset.fetch()
