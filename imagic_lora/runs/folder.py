"""The folder of a run: which files are in it, and how they are written and read again.

The pictures and adapters are the truth; what else is here says how they came about, and may be
deleted.
"""

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from imagic_lora.errors import OutputError
from imagic_lora.files import check_writable, write_atomic
from imagic_lora.runs.events import Outcome
from imagic_lora.runs.jobs import Shard

_RUN, _MANIFEST, _SUMMARY, _SHEET = "run.json", "manifest.jsonl", "summary.json", "sheet.png"


@dataclass(frozen=True)
class Folder:
    """Where a run is kept; of a run in parts, each part writes files of its own names.

    Attributes:
        path: The folder.
        shard: Which part of the run.
    """

    path: Path
    shard: Shard

    def check(self, *, force: bool) -> None:
        """Raise unless the folder can hold a run and, if it holds anything, holds one already.

        Args:
            force: Whether what other programs have put there may be added to.

        Raises:
            OutputError: When it cannot.
        """
        check_writable(self._named(_RUN), force=True)
        with suppress(FileNotFoundError):
            there = [each for each in self.path.iterdir() if not each.name.startswith(".")]
            if there and not force and not any(self.path.glob("run*.json")):
                raise OutputError(
                    f"the folder {self.path} holds files that are of no run; choose another, or "
                    "write into this one with --force (force=True from Python)."
                )

    def describe(self, values: Mapping[str, Any]) -> None:
        """Write what the run is about."""
        self._write(_RUN, json.dumps(values, indent=2, ensure_ascii=False))

    def summarise(self, values: Mapping[str, Any]) -> None:
        """Write what came of the run."""
        self._write(_SUMMARY, json.dumps(values, indent=2, ensure_ascii=False))

    def sheet(self, page: int) -> Path:
        """Return the file of a page of pictures, from 1."""
        name = self.shard.named(_SHEET)
        return self.path / (name if page == 1 else f"{name.removesuffix('.png')}-{page}.png")

    def outcomes(self) -> dict[str, Outcome]:
        """Return what the manifest says of each row; a line that is none is passed over."""
        found: dict[str, Outcome] = {}
        with suppress(OSError):
            for line in self._named(_MANIFEST).read_bytes().splitlines():
                with suppress(ValueError, TypeError, RecursionError, AttributeError):
                    outcome = Outcome.of(json.loads(line))
                    found[outcome.id] = outcome
        return found

    def list(self, outcomes: Iterable[Outcome]) -> None:
        """Write the whole manifest."""
        self._write(_MANIFEST, "\n".join(map(_line, outcomes)))

    def add(self, outcome: Outcome) -> None:
        """Write one more line of the manifest, whole or not at all.

        Raises:
            OutputError: When it cannot be written.
        """
        path = self._named(_MANIFEST)
        line = f"{_line(outcome)}\n".encode()
        try:
            with path.open("ab", buffering=0) as file:
                before = file.tell()
                whole = file.write(line) == len(line)
            if whole:
                return
            os.truncate(path, before)
            reason = "the disk is full"
        except OSError as error:
            reason = error.strerror or str(error)
        raise OutputError(f"cannot write {path}: {reason}.")

    def _named(self, name: str) -> Path:
        """Return the file of a name that this part of the run has for itself."""
        return self.path / self.shard.named(name)

    def _write(self, name: str, text: str) -> None:
        """Write one of the files that say what came about."""
        ending = "\n" if text else ""
        write_atomic(self._named(name), f"{text}{ending}".encode(), force=True)


def _line(outcome: Outcome) -> str:
    """Return an outcome as a line of JSON."""
    return json.dumps(asdict(outcome), ensure_ascii=False)
