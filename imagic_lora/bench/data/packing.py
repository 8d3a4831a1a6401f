"""What authors keep in tables or archives: unpacked once, to pictures and a list of them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagic_lora.files import write_atomic

_STAMP = "unpacked.json"
"""Says of which files a folder was unpacked; written last."""


@dataclass(frozen=True)
class Packing:
    """How a set is packed.

    Attributes:
        patterns: Names of the packed files, anywhere in a folder.
        lists: Names of files of which each says that a folder is not packed.
        unpack: Writes the pictures and the list of some packed files to a folder.
    """

    patterns: tuple[str, ...]
    lists: tuple[str, ...]
    unpack: Callable[[Sequence[Path], Path], None]

    def files(self, data: Path) -> list[Path]:
        """Return the packed files of a folder; none where it is unpacked already.

        Args:
            data: The folder.
        """
        if self._has_list(data):
            return []
        return sorted(path for pattern in self.patterns for path in data.rglob(pattern))

    def unpacked(self, data: Path, out: Path) -> Path:
        """Return a folder in the layout that is read: the set's own, or what it is unpacked to.

        Args:
            data: The folder of the set.
            out: Where to unpack; what is there is used where it is of the same files.

        Raises:
            InputError: When a file is not what it should be.
            MissingExtraError: When a package is missing.
            OutputError: When something cannot be written.
        """
        files = self.files(data)
        if not files:
            return data
        stamp = {path.relative_to(data).as_posix(): path.stat().st_size for path in files}
        if _read(out / _STAMP) != stamp or not self._has_list(out):
            self.unpack(files, out)
            write_atomic(out / _STAMP, f"{json.dumps(stamp, indent=2)}\n".encode(), force=True)
        return out

    def _has_list(self, folder: Path) -> bool:
        return any((folder / name).is_file() for name in self.lists)


def _read(path: Path) -> Any:
    """Return what a stamp says; None where there is none."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
