"""Headers of safetensors files, and JSON objects in them: read from anybody, in little memory.

Knows nothing of what they say.
"""

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

from imagic_lora.errors import AdapterFileError

_MAX_HEADER = 100_000_000
"""Bytes of the largest header, the format's own limit: other tools write megabytes of words into it."""

_MAX_TEXT = 8_000_000
"""Bytes of the largest text that is looked for in a header."""

_MAX_ROOM = 25_000_000
"""Bytes that an object's text may take in memory: four a letter, where one is of no common script."""

_MAX_VALUES = 400_000
"""Values of a JSON object, names included: each takes far more memory than its text."""

_HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""What stands for one half of a character, which must not be without the other."""

_COLON = re.compile(rb"\s*:\s*")
_PLAIN, _PLAIN_BYTES = re.compile(r'[^\\]"'), re.compile(rb'[^\\]"')


def header_size(data: bytes) -> int:
    """Return how many bytes a file says that its header has.

    Args:
        data: Content of the file.
    """
    return int.from_bytes(data[:8], "little")


def read_metadata(data: bytes) -> dict[str, Any]:
    """Return all texts in the header of a safetensors file.

    Raises:
        AdapterFileError: When it has no header that can be read.
    """
    found = read_object("header", memoryview(data)[8 : _end(data)]).get("__metadata__", {})
    if not isinstance(found, dict):
        raise AdapterFileError("its header is not valid (its texts are no object).")
    return found


def find_text(data: bytes, name: str) -> str | None:
    """Return one text in the header of a safetensors file, and make no other, however large.

    Args:
        data: Content of the file.
        name: Name of the text; of several, the last one counts.

    Raises:
        AdapterFileError: When it has no header that can be read, or what has the name is no text.
    """
    end, found = _end(data), None
    if _has_many_values(data, 8, end):
        raise _too_many("header")
    texts = _texts_in(data, 8, end)
    for start, after in texts:
        colon = _COLON.match(data, after, end)
        if colon and _is(name, data[start:after]):
            value, after_value = next(texts, (end, end))
            if value != colon.end() or after_value - value > _MAX_TEXT:
                raise AdapterFileError(
                    f"its header's {name} is no text, or one of over {_MAX_TEXT} bytes."
                )
            found = data[value:after_value]
    return None if found is None else read_object("header", b'{"":%b}' % found)[""]


def _end(data: bytes) -> int:
    """Return where a file's header ends, which begins with byte 8."""
    size = header_size(data)
    if len(data) < 8 or size > len(data) - 8:
        raise AdapterFileError(
            "it is truncated, or no safetensors file at all (pickles are never loaded)."
        )
    if size > _MAX_HEADER:
        raise AdapterFileError(f"its header has {size} bytes, allowed are {_MAX_HEADER}.")
    return 8 + size


def _is(name: str, text: bytes) -> bool:
    """Return whether a text of JSON, quotes and all, is a name; any letter may be an escape."""
    if b"\\" not in text or len(text) > len(r"\u0000") * len(name) + 2:
        return text == f'"{name}"'.encode()
    return name in read_object("header", b"{%b:0}" % text)


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
        if sys.getsizeof(text) > _MAX_ROOM:
            raise AdapterFileError(f"its {name} is longer than any tool writes.")
        if _has_many_values(text, 0, len(text)):
            raise _too_many(name)
        found = json.loads(text, parse_constant=_refuse_constant)
        if _HALF.search(text):
            for each in _texts(found):
                each.encode()  # which a half alone does not survive
    except (ValueError, TypeError, RecursionError) as error:
        raise AdapterFileError(f"its {name} is not valid ({error}).") from error
    if not isinstance(found, dict):
        raise AdapterFileError(f"its {name} is not valid (it is no object).")
    return found


def _too_many(name: str) -> AdapterFileError:
    return AdapterFileError(f"its {name} has more than {_MAX_VALUES} values, which no tool writes.")


def _has_many_values(text: str | bytes, start: int, end: int) -> bool:
    """Return whether JSON has more values than are read, found without making any of them."""

    def signs(start: int, end: int) -> int:
        if isinstance(text, bytes):
            return sum(text.count(sign, start, end) for sign in (b"[", b"{", b","))
        return sum(text.count(sign, start, end) for sign in "[{,")

    if signs(start, end) <= _MAX_VALUES:
        return False
    found = 0  # now without those that stand inside of texts
    for begin, after in _texts_in(text, start, end):
        found, start = found + 1 + signs(start, begin), after
        if found > _MAX_VALUES:
            return True
    return found + signs(start, end) > _MAX_VALUES


def _texts_in(text: str | bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield where each text of JSON begins and ends, its quotes with it, in a part of it."""
    quote: Any = '"' if isinstance(text, str) else b'"'
    while (begin := text.find(quote, start, end)) >= 0:
        start = _after_text(text, begin, end)
        yield begin, start


def _after_text(text: Any, begin: int, end: int) -> int:
    """Return where JSON goes on after a text that begins somewhere.

    A quote ends it that follows anything but slashes, or an even number of them.
    """
    plain, slashes = (_PLAIN, '\\\\"') if isinstance(text, str) else (_PLAIN_BYTES, b'\\\\"')
    found = plain.search(text, begin, end)
    last: int = found.end() if found else end
    at = text.find(slashes, begin, last)
    while at >= 0:
        after: int = at + len(slashes)
        if _slashes_before(text, after - 1) % 2 == 0:
            return after
        at = text.find(slashes, after, last)
    return last


def _slashes_before(text: Any, at: int) -> int:
    """Return how many slashes stand before a place, of which something else is the first."""
    slash = "\\" if isinstance(text, str) else b"\\"
    width = 8
    while True:
        part = text[max(0, at - width) : at]
        count = len(part) - len(part.rstrip(slash))
        if count < len(part):
            return count
        width *= 8


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
