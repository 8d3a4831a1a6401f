"""From the settings to flags and back: help, ranges, choices and defaults are those of the fields.

A value that is not allowed is refused while the command line is read, before anything is loaded.
"""

import argparse
import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

from imagic_lora.errors import SettingsError
from imagic_lora.settings import Option, options

Settings = TypeVar("Settings")

_METAVARS: dict[type, str] = {int: "N", float: "X", str: "TEXT"}


def add_settings(
    parser: argparse.ArgumentParser, kind: type, title: str, *, skip: tuple[str, ...] = ()
) -> None:
    """Add one flag for each field of a settings class.

    Args:
        parser: What to add to.
        kind: A settings class.
        title: Heading of the flags in the help.
        skip: Fields that get no flag here.
    """
    group = parser.add_argument_group(title)
    for name, described in options(kind):
        if name not in skip:
            default = kind.__dataclass_fields__[name].default  # type: ignore[attr-defined]
            _add_setting(group, name, described, default)


def _add_setting(group: Any, name: str, described: Option, default: object) -> None:
    """Add the flag of one setting."""
    flag = "--" + name.replace("_", "-")
    if described.choices:
        text = f"{described.help} (default: {default})"
        group.add_argument(flag, choices=described.choices, default=default, help=text)
        return
    facts = [] if described.kind is str else [described.range_text()]
    facts += [] if default in (None, "") else [f"default: {default}"]
    group.add_argument(
        flag,
        type=one(described),
        default=default,
        metavar=_METAVARS[described.kind],
        help=described.help + (f" ({'; '.join(facts)})" if facts else ""),
    )


def read_settings(args: argparse.Namespace, kind: type[Settings], **others: Any) -> Settings:
    """Return the settings that were given as flags.

    Args:
        args: The parsed command line.
        kind: A settings class.
        others: Values of the fields that have no flag.
    """
    names = {item.name for item in dataclasses.fields(kind)} - others.keys()  # type: ignore[arg-type]
    return kind(**{name: getattr(args, name) for name in names}, **others)


def one(described: Option, words: tuple[str, ...] = ()) -> Callable[[str], Any]:
    """Return a function from a word to a checked value, for argparse; some words stay as they are."""

    def parse(text: str) -> Any:
        if text in words:
            return text
        try:
            value = described.kind(text)
        except ValueError as error:
            whole = "a whole number, " if described.kind is int else ""
            raise argparse.ArgumentTypeError(
                f"the value was {text!r}, allowed is {whole}{_allowed(described, words)}."
            ) from error
        try:
            described.check("the value", value)
        except SettingsError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
        return value

    return parse


def _allowed(described: Option, words: tuple[str, ...]) -> str:
    """Return the allowed values in words."""
    return " or ".join([*map(repr, words), described.range_text()])


def several(described: Option, words: tuple[str, ...] = ()) -> Callable[[str], tuple[Any, ...]]:
    """Return a function from words with commas between them to checked values, each once."""
    parse = one(described, words)
    return lambda text: tuple(dict.fromkeys(parse(word.strip()) for word in text.split(",")))


def add_several(
    parser: Any,
    flag: str,
    described: Option,
    default: object = None,
    words: tuple[str, ...] = (),
) -> None:
    """Add a flag of several values with commas between them, required if it has no default."""
    metavar = _METAVARS[described.kind]
    ending = "" if default is None else f"; default: {default}"
    parser.add_argument(
        flag,
        type=several(described, words),
        required=default is None,
        default=None if default is None else (default,),
        metavar=f"{metavar},...",
        help=f"{described.help}; several with commas between them "
        f"({_allowed(described, words)}{ending})",
    )


def prompt(text: str) -> str:
    """Return a prompt without the blanks around it, for argparse; an empty one is refused."""
    if not text.strip():
        raise argparse.ArgumentTypeError("the prompt is empty.")
    return text.strip()
