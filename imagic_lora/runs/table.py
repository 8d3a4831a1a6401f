"""Files of rows: JSON Lines, a JSON list or CSV, as plain values with the number of their line.

Knows nothing of what the values mean. A row that cannot be read is a problem of its own, so that
all of them can be reported together.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from imagic_lora.errors import InputError, quoted

GROUPS = ("fit", "edit")
"""Names of settings that hold others."""

_NO_JSON = (ValueError, RecursionError)
_OBJECT = re.compile(r"[^\s,\]]")


@dataclass(frozen=True)
class Line:
    """One row of a file.

    Attributes:
        number: Line that it begins at, from 1.
        values: Its values by name; what stood under `fit.rank` is `rank` of a mapping `fit`.
        problem: Why it cannot be read, or "".
    """

    number: int
    values: Mapping[str, Any]
    problem: str = ""


def read_lines(path: Path, columns: Mapping[str, str]) -> list[Line]:
    """Return the rows of a file; a name that ends in .csv is CSV, any other is JSON.

    Args:
        path: The file.
        columns: What a column is called in the file, by the name that it has here.

    Raises:
        InputError: When it cannot be read, or has no row.
    """
    text = _text(path)
    lines = list(_csv_lines(text) if path.suffix.lower() == ".csv" else _json_lines(text))
    if not lines:
        raise InputError(f"{quoted(str(path))} has no row; give a row for each edit.")
    return [Line(each.number, named(each.values, columns), each.problem) for each in lines]


def _text(path: Path) -> str:
    """Return what a file says; of what is no file and may never end, such as a pipe, nothing is read."""
    try:
        if path.is_file() or not path.exists():
            return path.read_text("utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read {quoted(str(path))}: {error.strerror}.") from error
    except ValueError as error:
        raise InputError(f"{quoted(str(path))} is no text in UTF-8; save it as such.") from error
    raise InputError(f"cannot read {quoted(str(path))}: it is no file; write the rows into one.")


def named(values: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of a row by the names that they have here.

    Args:
        values: The values by the names of the file.
        columns: What a column is called in the file, by the name that it has here.
    """
    ours = {theirs: our for our, theirs in columns.items()}
    found: dict[str, Any] = {}
    for theirs, value in values.items():
        if theirs in columns and theirs not in ours:
            continue  # another column was given that name
        name = ours.get(theirs, theirs)
        group, dot, rest = name.partition(".")
        if dot and group in GROUPS:
            name, value = group, {rest: value}  # noqa: PLW2901  the same value, a level deeper
        both = isinstance(value, dict) and isinstance(found.get(name), dict)
        found[name] = found[name] | value if both else value
    return found


def _csv_lines(text: str) -> Iterator[Line]:
    """Yield the rows of CSV with a line of names; an empty cell is none."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header, begins = None, 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield Line(begins, {}, f"it is no CSV: {error}.")
            return
        if cells is None:
            return
        if header is None:
            header = [cell.strip() for cell in cells]
        elif cells:
            yield _csv_line(begins, header, cells)
        begins = reader.line_num + 1


def _csv_line(number: int, header: list[str], cells: list[str]) -> Line:
    """Return one row of cells."""
    if len(cells) != len(header):
        return Line(number, {}, f"it has {len(cells)} cells, and the header has {len(header)}.")
    pairs = zip(header, cells, strict=True)
    return Line(number, {name: cell for name, cell in pairs if cell.strip()})


def _json_lines(text: str) -> Iterator[Line]:
    """Yield the rows of JSON, an object a line, or those of one list."""
    if text.lstrip()[:1] == "[":
        yield from _listed(text)
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield _object(number, _DECODER.decode(line.strip()))
            except _NO_JSON as error:
                yield Line(number, {}, f"it is no JSON: {_reason(error)}.")


def _listed(text: str) -> Iterator[Line]:
    """Yield the objects of one JSON list, with the lines that they begin at."""
    try:
        _DECODER.decode(text)
    except _NO_JSON as error:
        yield Line(getattr(error, "lineno", 1), {}, f"it is no JSON: {_reason(error)}.")
        return
    place = text.index("[") + 1
    while (found := _OBJECT.search(text, place)) is not None:
        value, place = _DECODER.raw_decode(text, found.start())
        yield _object(text.count("\n", 0, found.start()) + 1, value)


def _object(number: int, value: Any) -> Line:
    """Return the row in a JSON value; null is as if it were not there."""
    if not isinstance(value, dict):
        return Line(number, {}, f"it is {quoted(value)}, allowed is an object.")
    return Line(number, {name: each for name, each in value.items() if each is not None})


def _reason(error: Exception) -> str:
    """Return what is wrong with JSON, without the place, which is that of a part of the file."""
    return getattr(error, "msg", None) or str(error)


def _refuse(word: str) -> NoReturn:
    """Raise for what Python reads and JSON does not have."""
    raise ValueError(f"{word} is no number")


_DECODER = json.JSONDecoder(parse_constant=_refuse)
