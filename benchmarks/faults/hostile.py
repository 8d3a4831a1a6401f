"""Hostile values, and files that are damaged or changed by them; everything follows from a seed."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

HUGE = 10**400

VALUES: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 1.5, -0.0, 1e308, 5e-324, HUGE, -HUGE, 2**63, 2**64),
    *("", "a", "x" * 100_000, "\ud800", "\udcff\udcfe", "\x00", "\x1b[2J\x1b]0;x\x07", "😀" * 50),
    *("\u202eevil", "\u200b", ",", "../../etc/passwd", "/etc", "{0.__class__}", "%s%n", "nan"),
    *([], {}, [[]], [None], {"a": None}, [1, 2], ["x"], {"x": "y"}, {"": ""}, ["\ud800"]),
    *({"\ud800": "\ud800"}, [HUGE], [1e308], 8193, 8192, 7, "demo", "evil/model", "a " * 20_000),
)
"""Values that JSON allows."""

RAW = (
    *("NaN", "Infinity", "-Infinity", "1e999", "1" * 5000, "[" * 5000 + "]" * 5000),
    *('{"a":' * 900 + "1" + "}" * 900, "0.1e-9999", "-0", '"\\ud800\\ud800"', "[1,]", "tru", "'a'"),
)
"""Texts where a value should stand, most of which no JSON allows."""

_HOLE = "@@HOLE@@"
_DTYPES = ("F16", "F32", "BF16", "F64", "I8", "I64", "BOOL", "U8", "F8_E4M3", "C64", "X1")
_HASH = "modelspec.hash_sha256"

Header = dict[str, Any]
Change = Callable[[Header, bytes, Random], tuple[Header, bytes]]


def damaged(data: bytes, random: Random) -> bytes:
    """Return a file with some of its bytes flipped, cut off, doubled or taken out."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8, 64))):
        at = random.randrange(len(changed)) if changed else 0
        length = random.choice((1, 1, 4, 16, 256))
        kind = random.randrange(5)
        if kind == 0:
            changed[at : at + length] = random.randbytes(length)
        elif kind == 1:
            del changed[at:]
        elif kind == 2:
            changed[at:at] = changed[at : at + length]
        elif kind == 3:
            del changed[at : at + length]
        else:
            changed[at : at + 1] = bytes([random.choice((0, 1, 0x7F, 0x80, 0xFF))])
    return bytes(changed)


def rewritten(data: bytes, random: Random, own: str = "imagic_lora") -> tuple[str, bytes]:
    """Return a safetensors file with hostile values in its header or its tensors, and what was done.

    Args:
        data: A sound file.
        random: Where chances come from.
        own: Name of the header's text that is JSON in turn, or "".
    """
    size = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    kinds: dict[str, Change] = dict(_CHANGES)
    if own:
        kinds |= {"own value": _changed_own(own), "own raw": _raw_own(own)}
    kind = random.choice(list(kinds))
    header, body = kinds[kind](header, body, random)
    if random.random() < 0.8 and isinstance(header.get("__metadata__"), dict):
        header["__metadata__"][_HASH] = "0x" + hashlib.sha256(body).hexdigest()
    return kind, packed(json.dumps(header), body)


def packed(header: str, body: bytes) -> bytes:
    """Return the safetensors file of a header and what follows it."""
    text = header.encode("utf-8", "surrogatepass")
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + body


def _changed_own(own: str) -> Change:
    """Return what puts a hostile value somewhere into our own JSON."""

    def change(header: Header, body: bytes, random: Random) -> tuple[Header, bytes]:
        values = json.loads(header["__metadata__"][own])
        _put(values, random.choice(VALUES), random)
        header["__metadata__"][own] = json.dumps(values)
        return header, body

    return change


def _raw_own(own: str) -> Change:
    """Return what puts a text that may be no JSON where one of our values stands."""

    def change(header: Header, body: bytes, random: Random) -> tuple[Header, bytes]:
        values = json.loads(header["__metadata__"][own])
        _put(values, _HOLE, random)
        text = json.dumps(values).replace(json.dumps(_HOLE), random.choice(RAW))
        header["__metadata__"][own] = text
        return header, body

    return change


def _put(values: Any, value: Any, random: Random) -> None:
    """Put a value in the place of another, at any depth, or leave one out."""
    key = random.choice(list(values) if isinstance(values, Mapping) else range(len(values)))
    if isinstance(values[key], (dict, list)) and values[key] and random.random() < 0.6:
        _put(values[key], value, random)
    elif random.random() < 0.1:
        del values[key]
    else:
        values[key] = value


def _metadata(header: Header, body: bytes, random: Random) -> tuple[Header, bytes]:
    """Change a text of the header."""
    texts = header.setdefault("__metadata__", {})
    name = random.choice([*texts, "new"])
    texts[name] = random.choice((*VALUES, "text", "data:image/jpeg;base64,/9j/"))
    return header, body


def _picture(header: Header, body: bytes, random: Random) -> tuple[Header, bytes]:
    """Damage a picture that the header holds."""
    texts = header.get("__metadata__", {})
    pictures = [name for name in texts if str(texts[name]).startswith("data:")]
    if pictures:
        name = random.choice(pictures)
        start, _, content = texts[name].partition(",")
        changed = base64.b64encode(damaged(base64.b64decode(content), random)).decode()
        texts[name] = f"{start},{changed}"
    return header, body


def _shape(header: Header, body: bytes, random: Random) -> tuple[Header, bytes]:
    """Give a tensor another shape of the same size, or a wrong one."""
    tensor = header[_tensor(header, random)]
    sides = tensor["shape"]
    shapes = [sides[::-1], [1, *sides], sides[1:], [*sides, 1], [*sides, 2], [0], [-1], [HUGE], []]
    tensor["shape"] = random.choice(shapes)
    return header, body


def _smaller(header: Header, body: bytes, random: Random) -> tuple[Header, bytes]:
    """Make a tensor shorter along a side, its bytes with it."""
    name = _tensor(header, random)
    sides = list(header[name]["shape"]) or [1]
    axis = random.randrange(len(sides))
    sides[axis] = max(1, sides[axis] // 2)
    return _with_tensor(header, body, name, sides, random)


def _larger(header: Header, body: bytes, random: Random) -> tuple[Header, bytes]:
    """Make a tensor longer along a side, its bytes with it."""
    name = _tensor(header, random)
    sides = list(header[name]["shape"]) or [1]
    sides[random.randrange(len(sides))] += random.choice((1, 2, 7))
    return _with_tensor(header, body, name, sides, random)


def _with_tensor(
    header: Header, body: bytes, name: str, sides: list[int], random: Random
) -> tuple[Header, bytes]:
    """Return a file in which one tensor has other sides, filled with small numbers."""
    made, fresh, start = {}, b"", 0
    for each in _tensors(header):
        begin, end = header[each]["data_offsets"]
        part = body[begin:end]
        if each == name:
            count = 2
            for side in sides:
                count *= side
            part = (part + bytes(count))[:count] if random.random() < 0.8 else bytes(count)
        shape = sides if each == name else header[each]["shape"]
        made[each] = {**header[each], "shape": shape, "data_offsets": [start, start + len(part)]}
        fresh, start = fresh + part, start + len(part)
    return {**header, **made}, fresh


def _dtype(header: Header, body: bytes, random: Random) -> tuple[Header, bytes]:
    """Say that a tensor is of another type."""
    header[_tensor(header, random)]["dtype"] = random.choice(_DTYPES)
    return header, body


def _offsets(header: Header, body: bytes, random: Random) -> tuple[Header, bytes]:
    """Let a tensor's bytes lie elsewhere."""
    tensor = header[_tensor(header, random)]
    tensor["data_offsets"][random.randrange(2)] = random.choice((0, -1, 2**63, HUGE, len(body), 7))
    return header, body


def _names(header: Header, body: bytes, random: Random) -> tuple[Header, bytes]:
    """Rename a tensor, leave one out, or have one twice."""
    name = _tensor(header, random)
    kind = random.randrange(3)
    if kind == 0:
        header[random.choice(("x", "", "\ud800", "a" * 10_000, name + ".x"))] = header.pop(name)
    elif kind == 1:
        del header[name]
    else:
        other = _tensor(header, random)
        header[name], header[other] = header[other], header[name]
    return header, body


def _values(header: Header, body: bytes, random: Random) -> tuple[Header, bytes]:
    """Put infinite, huge or no numbers into a tensor."""
    start, end = header[_tensor(header, random)]["data_offsets"]
    changed = bytearray(body)
    pattern = random.choice((b"\x00\x7c", b"\xff\x7b", b"\x00\x7e", b"\x01\x00", b"\xff\xff"))
    if end - start >= 2:
        at = start + 2 * random.randrange((end - start) // 2)
        count = random.choice((1, (end - at) // 2))
        changed[at : at + 2 * count] = pattern * count
    return header, bytes(changed)


def _tensors(header: Header) -> list[str]:
    return [name for name in header if name != "__metadata__"]


def _tensor(header: Header, random: Random) -> str:
    return random.choice(_tensors(header))


_CHANGES: Mapping[str, Change] = {
    "metadata": _metadata,
    "picture": _picture,
    "shape": _shape,
    "smaller": _smaller,
    "larger": _larger,
    "dtype": _dtype,
    "offsets": _offsets,
    "names": _names,
    "values": _values,
}
