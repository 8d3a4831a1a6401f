"""What a benchmark asks for, item by item, and how a folder of them is read.

A folder is read to its end, and all that is wrong with it is told at once.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from imagic_lora.bench.masks import Mask, PaintedMask
from imagic_lora.errors import ImageError, InputError, quoted
from imagic_lora.images.reading import open_image


class BadItemError(ValueError):
    """An item of a benchmark cannot be used; the others may be."""


@dataclass(frozen=True)
class Item:
    """One edit that a benchmark asks for.

    Attributes:
        name: Names it in files and tables; unique within the benchmark.
        kind: Kind of edit, as the authors divide them.
        picture: The input's file.
        target: What the edited picture shows; "" where the authors give an instruction alone.
        source: What the input shows, where the authors say it.
        instruction: What to do to the input, where the authors say it.
        result: Where the authors' own tools look for the edited picture: relative, with "/".
        mask: Where the edit belongs; for scores alone, no method sees it.
        ideal: File of the ideal edit, where it is known; likewise.
        notes: What else is said of it, by name: plain values, for scorers of one's own.
    """

    name: str
    kind: str
    picture: Path
    target: str
    result: str
    source: str | None = None
    instruction: str = ""
    mask: Mask | PaintedMask | None = None
    ideal: Path | None = None
    notes: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Loaded:
    """A folder that was read.

    Attributes:
        items: What can be used, in the authors' order.
        problems: What cannot, and why: a sentence each.
    """

    items: tuple[Item, ...]
    problems: tuple[str, ...] = ()

    def captioned(self, path: Path) -> "Loaded":
        """Return the same with captions from a file, for benchmarks of instructions.

        Args:
            path: JSON: {name of the item: {"source": caption, "target": caption}}.

        Raises:
            InputError: When it is no such file.
        """
        captions = read_json(path, "write the captions there once, by hand or by a captioner")

        def described(name: str, item: Item) -> Item:
            row = row_of(captions, name)
            return replace(item, source=text(row, "source"), target=text(row, "target"))

        found = collect(((item.name, item) for item in self.items), described)
        return Loaded(found.items, self.problems + found.problems)


def collect(rows: Iterable[tuple[str, Any]], make: Callable[[str, Any], Item]) -> Loaded:
    """Make items of rows; what is wrong with some of them is told of all.

    Args:
        rows: The authors' rows, by what to call them in a sentence.
        make: Makes an item, or raises a BadItemError.
    """
    found = [_made(name, row, make) for name, row in rows]
    counts = Counter(one.name for one in found if isinstance(one, Item))
    items = (one for one in found if isinstance(one, Item) and counts[one.name] == 1)
    problems = [one for one in found if isinstance(one, str)]
    problems += [f"{name}: {n} items have this name" for name, n in counts.items() if n > 1]
    return Loaded(tuple(items), tuple(problems))


def _made(name: str, row: Any, make: Callable[[str, Any], Item]) -> Item | str:
    """Return the item of a row, or what is wrong with it."""
    try:
        return make(name, row)
    except (BadItemError, ImageError) as error:
        return f"{name}: {error}"


def read_json(path: Path, remedy: str) -> Any:
    """Return the content of a JSON file.

    Args:
        path: The file.
        remedy: What to do where there is none, to end a sentence with.

    Raises:
        InputError: When it is missing or is no JSON.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"There is no '{path}'; {remedy}.") from error
    except ValueError as error:
        raise InputError(f"'{path}' is no JSON ({error}); {remedy}.") from error


def rows_in(path: Path, remedy: str) -> list[tuple[str, Any]]:
    """Return the rows of a JSON list, by what to call them in a sentence.

    Args:
        path: The file.
        remedy: As of `read_json`.

    Raises:
        InputError: When it is missing or is no JSON list.
    """
    rows = read_json(path, remedy)
    if not isinstance(rows, list):
        raise InputError(f"'{path}' is no JSON list; {remedy}.")
    return [(f"row {number}", row) for number, row in enumerate(rows, start=1)]


def row_of(table: Any, key: str) -> Mapping[str, Any]:
    """Return a row of a JSON object.

    Raises:
        BadItemError: When there is none.
    """
    row = table.get(key) if isinstance(table, Mapping) else None
    if not isinstance(row, Mapping):
        raise BadItemError(f"its row was {quoted(row)}, expected is an object of fields")
    return row


def text(row: Any, key: str) -> str:
    """Return a text of a row, without what stands around it.

    Raises:
        BadItemError: When there is none, or it is empty.
    """
    value = row.get(key) if isinstance(row, Mapping) else None
    if not isinstance(value, str) or not value.strip():
        raise BadItemError(f"'{key}' was {quoted(value)}, expected is a text")
    return value.strip()


def inside(path: str) -> str:
    """Return a relative path of a benchmark's file.

    Raises:
        BadItemError: When it leads out of the folder.
    """
    parts = PurePosixPath(path).parts
    if not parts or parts[0] == "/" or ".." in parts or "\\" in path:
        raise BadItemError(f"the path was {quoted(path)}, allowed is one within the folder")
    return str(PurePosixPath(path))


def readable(folder: Path, path: str) -> Path:
    """Return a picture's file, which was read to its end: its content says what it is.

    Raises:
        BadItemError: When the path leads out of the folder.
        ImageError: When the picture is missing or damaged.
    """
    found = folder / inside(path)
    open_image(found)
    return found
