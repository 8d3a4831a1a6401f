"""Sets in Arrow and parquet files, as `datasets` writes them: a row an item, with its picture's bytes."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagic_lora.errors import InputError, MissingExtraError
from imagic_lora.files import write_atomic

PATTERNS = ("*.arrow", "*.parquet")
LIST = "metadata.jsonl"
"""Name of the list: a line of JSON for each item."""

_ROWS = 8
"""Rows that are in memory at a time."""


@dataclass(frozen=True)
class Table:
    """What of a set's rows is needed.

    Attributes:
        columns: Columns that a line keeps.
        picture: Column of the picture, or of several, of which the first is taken.
        named: What a line calls the file of the picture.
        only: Values that columns must have; rows with others are left out.
    """

    columns: tuple[str, ...]
    picture: str
    named: str = "file_name"
    only: Mapping[str, Any] = field(default_factory=dict)

    def unpack(self, files: Sequence[Path], out: Path) -> None:
        """Write the pictures of some files, and their list.

        A row without a picture stays in the list, so that whoever reads it can say what is wrong.

        Args:
            files: The files, in the order of the rows.
            out: The folder for the list and the pictures.

        Raises:
            InputError: When a file is no such table, or lacks a column.
            MissingExtraError: When pyarrow is not installed.
            OutputError: When something cannot be written.
        """
        rows = (row for path in files for row in _rows(path, (*self.columns, self.picture)))
        kept = (row for row in rows if self.only.items() <= row.items())
        lines = [self._line(number, row, out) for number, row in enumerate(kept)]
        text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
        write_atomic(out / LIST, text.encode(), force=True)

    def _line(self, number: int, row: Mapping[str, Any], out: Path) -> dict[str, Any]:
        """Write the picture of a row, and return its line."""
        line = {name: row[name] for name in self.columns}
        content = _content(row[self.picture])
        if content is not None:
            line[self.named] = f"pictures/{number:05d}.png"
            write_atomic(out / line[self.named], content, force=True)
        return line


def _content(picture: Any) -> bytes | None:
    """Return the bytes of a picture's file, whatever it is encoded as."""
    if isinstance(picture, list):
        return _content(picture[0]) if picture else None
    found = picture.get("bytes") if isinstance(picture, Mapping) else picture
    return found if isinstance(found, bytes) else None


def _rows(path: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file, with some of their columns."""
    try:
        import pyarrow as pa  # noqa: PLC0415  an extra
    except ImportError as error:
        raise MissingExtraError("pyarrow", "bench", "a set in Arrow or parquet files") from error
    try:
        for batch in _batches(path):
            if missing := [name for name in columns if name not in batch.schema.names]:
                raise InputError(
                    f"'{path}' has no column {' and no column '.join(map(repr, missing))}; it has "
                    f"{', '.join(batch.schema.names)}."
                )
            yield from batch.select(list(columns)).to_pylist()
    except (pa.ArrowException, OSError) as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise InputError(f"'{path}' cannot be read ({reason}); fetch it again.") from error


def _batches(path: Path) -> Iterator[Any]:
    """Yield the rows of a file, some at a time."""
    import pyarrow as pa  # noqa: PLC0415  an extra
    from pyarrow import parquet  # noqa: PLC0415  likewise

    if path.suffix == ".parquet":
        with parquet.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=_ROWS)
    else:
        with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as stream:
            for batch in stream:
                yield from (batch.slice(at, _ROWS) for at in range(0, batch.num_rows, _ROWS))
