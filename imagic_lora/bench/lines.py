"""Results as lines of JSON that are added one by one: a stop loses the line being written, no more."""

import json
import os
from pathlib import Path
from typing import Any

from imagic_lora.errors import OutputError


def read(path: Path) -> list[Any]:
    """Return what is in a file of lines; one that a stop has cut off is left out.

    Args:
        path: The file; where there is none, nothing is in it.
    """
    texts = path.read_text("utf-8").splitlines() if path.exists() else []
    found = map(_value, texts)
    return [value for value in found if value is not None]


def _value(text: str) -> Any:
    """Return what a line holds; None where it is no JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def add(path: Path, value: Any) -> None:
    """Add a line to a file.

    Args:
        path: The file.
        value: Plain values.

    Raises:
        OutputError: When it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                cut_off = file.read(1) != b"\n"
                file.write(b"\n" * cut_off)
            file.write(json.dumps(value).encode() + b"\n")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}.") from error
