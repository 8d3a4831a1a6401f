"""`imagic-lora inspect`: what made an adapter or a picture."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from json import dumps
from pathlib import Path
from typing import Any

import click

from imagic_lora.cli.flags import command, place, switch
from imagic_lora.cli.terminal import Terminal
from imagic_lora.errors import ImageError
from imagic_lora.units import bytes_text

_CHECKED = "names, shapes and finite values of every tensor, and the hash of all"
_PNG = b"\x89PNG\r\n\x1a\n"


@command("inspect", "say what made an adapter or a picture")
@place("file", "FILE", "an adapter, or a PNG that edit or img2img has made")
@switch("--json", "write JSON, for programs")
@click.pass_obj
def inspect(terminal: Terminal, *, file: Path, json: bool) -> None:
    """Show the record that a file carries."""
    values = _picture(file) if _is_png(file) else _adapter(file)
    terminal.tell(dumps(values, indent=2) if json else "\n".join(_lines(values)))


def _is_png(path: Path) -> bool:
    """Return whether a file begins like a PNG; what cannot be read does not."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(_PNG)) == _PNG
    except OSError:
        return False


def _picture(path: Path) -> dict[str, Any]:
    """Return the record of a picture that we made."""
    from imagic_lora.images.png import read_record

    record = read_record(path)
    if record is None:
        raise ImageError(
            f"'{path}' carries no record: it was not made by imagic-lora, or another program has "
            "saved it since."
        )
    return {"file": str(path), **record}


def _adapter(path: Path) -> dict[str, Any]:
    """Return the record of an adapter, and what can be read off its weights."""
    from imagic_lora.adapters.adapter import Adapter

    adapter = Adapter.load(path)
    facts = {
        "file": str(path),
        "kind": "Adapter",
        "bytes": len(adapter.to_bytes()),
        "sha256": adapter.sha256,
        "rank": adapter.rank,
        "layers": len(adapter.ranks()),
        "steps": len(adapter.record.losses),
    }
    shown = adapter.shown()
    shown["modelspec.thumbnail"] = f"{bytes_text(len(adapter.thumbnail))} of JPEG"
    return facts | asdict(adapter.record) | {"checked": _CHECKED, "shown": shown}


def _lines(values: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Yield the values as lines for people, groups indented."""
    for name, value in values.items():
        word = name.replace("_", " ") if name.isprintable() else repr(name)
        label = f"{indent}{word:<16}"
        if isinstance(value, Mapping):
            yield label.rstrip()
            yield from _lines(value, indent + "  ")
        elif isinstance(value, (list, tuple)):
            yield from _list_lines(label, value, indent)
        else:
            yield f"{label} {_value_text(value)}"


def _list_lines(label: str, values: list[Any] | tuple[Any, ...], indent: str) -> Iterator[str]:
    """Yield a list: groups numbered from 1, of numbers the first and the last."""
    if values and isinstance(values[0], Mapping):
        yield label.rstrip()
        numbered = {str(number): value for number, value in enumerate(values, start=1)}
        yield from _lines(numbered, indent + "  ")
    elif len(values) > 2:
        first, last = _value_text(values[0]), _value_text(values[-1])
        yield f"{label} {len(values)} values, from {first} to {last}"
    else:
        yield f"{label} {', '.join(map(_value_text, values))}"


def _value_text(value: Any) -> str:
    """Return one value; texts are quoted, so that a file's cannot act on the terminal."""
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else repr(value)
