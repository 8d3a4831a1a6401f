"""Headers of safetensors files, and JSON objects in them: read from anybody, in little memory.

Knows nothing of what they say.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from imagic_lora.errors import AdapterFileError

_MAX_HEADER = 25_000_000
"""Bytes of the largest header that is read: other tools write megabytes of words into it."""

_MAX_VALUES = 400_000
"""Values of a JSON object, names included: each takes far more memory than its text."""

_HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""What stands for one half of a character, which must not be without the other."""


def header_size(data: bytes) -> int:
    """Return how many bytes a file says that its header has.

    Args:
        data: Content of the file.
    """
    return int.from_bytes(data[:8], "little")


def read_metadata(data: bytes) -> dict[str, Any]:
    """Return the texts in the header of a safetensors file.

    Raises:
        AdapterFileError: When it has no header that can be read.
    """
    size = header_size(data)
    if len(data) < 8 or size > len(data) - 8:
        raise AdapterFileError(
            "it is truncated, or no safetensors file at all (pickles are never loaded)."
        )
    if size > _MAX_HEADER:
        raise AdapterFileError(f"its header has {size} bytes, a LoRA's has at most {_MAX_HEADER}.")
    found = read_object("header", memoryview(data)[8 : 8 + size]).get("__metadata__", {})
    if not isinstance(found, dict):
        raise AdapterFileError("its header is not valid (its texts are no object).")
    return found


def read_object(name: str, text: str | bytes | memoryview) -> dict[str, Any]:
    """Return a JSON object of a file, in which every text is one that can be written again.

    Args:
        name: What it is called in the message.
        text: The object as JSON.

    Raises:
        AdapterFileError: When it is none, holds what is no number or no text, or has too many values.
    """
    try:
        text = text if isinstance(text, str) else str(text, "utf-8")
        if _has_many_values(text):
            raise AdapterFileError(
                f"its {name} has more than {_MAX_VALUES} values, which no tool writes."
            )
        found = json.loads(text, parse_constant=_refuse_constant)
        if _HALF.search(text):
            for each in _texts(found):
                each.encode()  # which a half alone does not survive
    except (ValueError, TypeError, RecursionError) as error:
        raise AdapterFileError(f"its {name} is not valid ({error}).") from error
    if not isinstance(found, dict):
        raise AdapterFileError(f"its {name} is not valid (it is no object).")
    return found


def _has_many_values(text: str) -> bool:
    """Return whether JSON has more values than are read, found without making any of them."""

    def signs(start: int, end: int) -> int:
        return sum(text.count(sign, start, end) for sign in "[{,")

    found, at = signs(0, len(text)), 0
    if found <= _MAX_VALUES:
        return False
    found = 0  # now without those that stand inside of texts
    while found <= _MAX_VALUES and (start := text.find('"', at)) >= 0:
        found += 1 + signs(at, start)
        at = _after_text(text, start)
    return found + signs(at, len(text)) > _MAX_VALUES


def _after_text(text: str, start: int) -> int:
    """Return where JSON goes on after a text that starts somewhere."""
    end = start + 1
    while (end := text.find('"', end)) >= 0:
        before = end
        while text[before - 1] == "\\":
            before -= 1
        end += 1
        if (end - 1 - before) % 2 == 0:
            return end
    return len(text)


def _texts(value: Any) -> Iterator[str]:
    """Yield every text of plain values."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _texts(each)


def _refuse_constant(word: str) -> float:
    raise ValueError(f"{word} is not a number")
