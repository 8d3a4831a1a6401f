"""What a run is to do: rows of a file, each one edit, checked before anything is loaded.

Rows that share picture, caption and settings of the fit share one fit. Knows nothing of how, where
and in which order they are done.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from imagic_lora.errors import JobsError, SettingsError, quoted
from imagic_lora.runs.rows import Row, RowReader, check_columns, repeated
from imagic_lora.runs.table import Line, named, read_lines


@dataclass(frozen=True, kw_only=True)
class Job:
    """One fit and the edits of it: the unit of work.

    Attributes:
        key: Hash of what the fit depends on.
        target: Target of the fit: that of its first row, in which a caption is looked for where
            none was given. Any target can be edited later.
        rows: The rows that are to be done.
    """

    key: str
    target: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Shard:
    """One of several equal parts of a run, for a scheduler that starts a process for each.

    Attributes:
        index: Which part, from 0.
        count: How many there are.
    """

    index: int = 0
    count: int = 1

    @classmethod
    def of(cls, words: str) -> "Shard":
        """Return the part that a text such as "3/16" names.

        Args:
            words: Which part, from 0, and how many there are; "" for the whole.

        Raises:
            SettingsError: When there is no such part.
        """
        match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", words or "0/1")
        if match is None or not int(match[1]) < int(match[2]):
            raise SettingsError(
                f"the shard was {quoted(words)}, allowed is 0/16 to 15/16 for one of 16."
            )
        return cls(int(match[1]), int(match[2]))

    def named(self, name: str) -> str:
        """Return the name of a file that each part writes for itself, e.g. "run.3-of-16.json"."""
        stem, dot, ending = name.rpartition(".")
        part = "" if self.count == 1 else f".{self.index}-of-{self.count}"
        return f"{stem}{part}{dot}{ending}"


@dataclass(frozen=True)
class Jobs:
    """All that was asked for.

    Attributes:
        name: Name of the file.
        rows: Its rows, in their order.
    """

    name: str
    rows: tuple[Row, ...]

    def grouped(self) -> tuple[Job, ...]:
        """Return the rows by the fits that they share, in the order of the first row of each."""
        jobs: dict[str, list[Row]] = {}
        for row in self.rows:
            jobs.setdefault(row.fit_key, []).append(row)
        return tuple(
            Job(key=key, target=rows[0].target, rows=tuple(rows)) for key, rows in jobs.items()
        )

    def part(self, shard: Shard) -> "Jobs":
        """Return the rows of every n-th fit; rows that are added at the end move none of them.

        Args:
            shard: Which of the fits.
        """
        jobs = self.grouped()[shard.index :: shard.count]
        rows = sorted((row for job in jobs for row in job.rows), key=lambda row: row.line)
        return Jobs(self.name, tuple(rows))


def read_jobs(
    source: str | Path | Sequence[Mapping[str, Any]],
    *,
    columns: Mapping[str, str] = MappingProxyType({}),
    root: str | Path | None = None,
) -> Jobs:
    """Read what a run is to do, and check all of it.

    Args:
        source: A file of JSON Lines, a JSON list or CSV; or the rows themselves.
        columns: What a column is called in the file, by its name here, e.g. `image` by `img_name`.
        root: The folder that paths of pictures start from; default: that of the file.

    Raises:
        JobsError: When there are rows that cannot be done; it names all of them.
        InputError: When the file cannot be read, or a column is in no row.
    """
    if isinstance(source, (str, Path)):
        path = Path(source)
        name, place, lines = path.name, path.parent, read_lines(path, columns)
    else:
        listed = enumerate(source, start=1)
        name, place = "jobs", Path()
        lines = [Line(number, named(values, columns)) for number, values in listed]
    check_columns(name, lines, columns)
    reader = RowReader(place if root is None else Path(root))
    found = [reader.row(count, line) for count, line in enumerate(lines, start=1)]
    rows = tuple(row for row in found if row is not None)
    refuse(name, [*reader.problems, *repeated(rows)])
    return Jobs(name, rows)


def refuse(name: str, problems: Sequence[tuple[int, str]]) -> None:
    """Raise for what is wrong with the rows of a file, if anything is.

    Args:
        name: Name of the file.
        problems: The lines, and what is wrong with each.

    Raises:
        JobsError: When there is a problem.
    """
    if problems:
        raise JobsError(name, [f"line {line}: {text}" for line, text in sorted(problems)])
