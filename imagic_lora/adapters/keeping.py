"""Keeping what a fit has learned: under its name, or else at the next best place."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain, count
from pathlib import Path

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.errors import OutputError

_SUFFIX = ".safetensors"
_LONGEST = 255
"""Most bytes of a file's name, on the usual file systems."""


def keep(adapter: Adapter, out: Path, *, force: bool) -> None:
    """Save a finished fit; where that fails, keep it elsewhere and say so.

    Args:
        adapter: What was learned.
        out: The file to write.
        force: Whether a file that exists already may be replaced.

    Raises:
        OutputError: When the file could not be written; it says where the adapter is instead.
    """
    try:
        adapter.save(out, force=force)
    except OutputError as error:
        path = _kept_nearby(adapter, out, "")
        if path is None:
            raise
        raise OutputError(f"{error} What was learned is in {path} instead.") from error


def keep_partial(adapter: Adapter, out: Path) -> Path:
    """Save an unfinished fit beside its output, under a name that is free.

    Args:
        adapter: What was learned.
        out: The file that the whole fit would have gone to; it stays as it is.

    Returns:
        Where it is.

    Raises:
        OutputError: When it can be written nowhere.
    """
    path = _kept_nearby(adapter, out, ".partial")
    if path is None:
        raise OutputError(
            f"what was learned could be written neither beside {out} nor in the home folder nor in "
            "the folder for temporary files, and is lost; make room on one of their disks."
        )
    return path


def _kept_nearby(adapter: Adapter, out: Path, mark: str) -> Path | None:
    """Save an adapter under a free name beside a file, else at home, else among temporary files.

    Returns:
        Where it is, or None where it could be written nowhere.
    """
    for folder in _folders(out):
        path = next(path for path in _names(folder, out.stem, mark) if not path.exists())
        try:
            adapter.save(path)
        except OutputError:
            continue
        return path
    return None


def _folders(out: Path) -> Iterator[Path]:
    """Yield where to try, the best place first."""
    if out.parent.is_dir():
        yield out.parent
    with suppress(RuntimeError):  # nobody's home is known
        yield Path.home()
    yield Path(tempfile.gettempdir())


def _names(folder: Path, stem: str, mark: str) -> Iterator[Path]:
    """Yield one path after another of a folder, none longer than file systems allow."""
    endings = chain([mark] if mark else [], (f"{mark}-{number}" for number in count(2)))
    for ending in endings:
        tail = f"{ending}{_SUFFIX}"
        kept = os.fsencode(stem)[: _LONGEST - len(tail)]
        yield folder / f"{kept.decode(errors='ignore')}{tail}"
