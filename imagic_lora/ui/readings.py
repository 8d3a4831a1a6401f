"""What the files of a folder hold, read once for as long as they do not change."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

Read = TypeVar("Read")


class Readings(Generic[Read]):
    """What was read of files.

    Args:
        read: Returns what a file holds, or why it cannot be used.
    """

    def __init__(self, read: Callable[[Path], Read | str]) -> None:
        self._read = read
        self._known: dict[tuple[str, int, int], Read | str] = {}

    def of(self, files: Iterable[Path]) -> dict[str, Read | str]:
        """Return what each file holds, or why it cannot be used, by its name without the ending."""
        fresh = {}
        for path in files:
            with suppress(OSError):  # another page, or another program, has just deleted it
                state = path.stat()
                key = (path.stem, state.st_mtime_ns, state.st_size)
                fresh[key] = self._known.get(key) or self._read(path)
        self._known = fresh
        return {key[0]: found for key, found in fresh.items()}
