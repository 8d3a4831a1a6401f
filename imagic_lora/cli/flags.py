"""Flags: how they are declared, how their values are read and checked, and how help shows them.

For settings, help, ranges, choices and defaults are those of the fields. A value that is not allowed
is refused while the command line is read, before anything is loaded.
"""

from collections.abc import Callable, Iterable
from functools import partial, wraps
from pathlib import Path
from typing import Any

import click

from imagic_lora.errors import InputError, SettingsError, quoted
from imagic_lora.settings import Option, options
from imagic_lora.texts import prompt as checked_prompt
from imagic_lora.texts import text as checked_text

Run = Callable[..., None]
Declare = Callable[[Run], Run]

_METAVARS: dict[type, str] = {int: "N", float: "X", str: "TEXT"}


class Flag(click.Option):
    """A flag, which stands under a heading of the help."""

    def __init__(self, *args: Any, section: str = "Options", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.section = section


class Value(click.ParamType[Any]):
    """A value that a function reads from a word, or refuses with a sentence."""

    name = "value"

    def __init__(self, read: Callable[[str], Any]) -> None:
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return what a word means; a default is what it is already."""
        if not isinstance(value, str):
            return value
        if ctx is not None and any(
            value in each.opts for each in ctx.command.params if isinstance(each, click.Option)
        ):
            self.fail(f"a value is missing, since {value} is a flag itself.", param, ctx)
        try:
            return self._read(value)
        except InputError as error:
            self.fail(str(error), param, ctx)


class Command(click.Command):
    """A command whose help has the flags under their headings."""

    def __init__(self, name: str | None, **kwargs: Any) -> None:
        super().__init__(name, add_help_option=False, **kwargs)
        self.params.append(answer("--help", "show this help", click.Context.get_help))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words; whatever is wrong with them, it is known with which command's."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each heading with its flags; a group goes on with its commands."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.params:
            record = param.get_help_record(ctx)
            if isinstance(param, Flag) and record is not None:
                sections.setdefault(param.section, []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)


def command(name: str, help: str) -> Callable[[Run], Command]:
    """Make a command of a function; its help is one sentence without full stop."""
    text = f"{help[:1].upper()}{help[1:]}."
    return click.command(name, cls=Command, help=text, short_help=help)


def answer(name: str, help: str, text: Callable[[click.Context], str]) -> Flag:
    """Return a flag that has something said, in place of any work."""

    def say(context: click.Context, _: click.Parameter, asked: bool) -> None:  # noqa: FBT001
        if asked:
            context.find_root().obj.tell(text(context))
            context.exit()

    return Flag([name], is_flag=True, is_eager=True, expose_value=False, callback=say, help=help)


def place(
    name: str,
    metavar: str,
    help: str,
    *,
    read: Callable[[str], Any] | None = None,
    many: bool = False,
) -> Declare:
    """Declare a positional argument, or several: paths, unless something else is read of them."""
    return click.argument(
        name,
        type=Value(read or path),
        metavar=metavar,
        help=help,
        nargs=-1 if many else 1,
        required=True,
    )


def flag(*names: str, read: Callable[[str], Any], **kwargs: Any) -> Declare:
    """Declare a flag that takes a value.

    Args:
        names: Its names.
        read: Reads the value from a word, or raises an InputError.
        kwargs: What else click's options and `Flag` take.
    """
    return click.option(*names, cls=Flag, type=Value(read), **kwargs)


def switch(name: str, help: str) -> Declare:
    """Declare a flag without a value."""
    return click.option(name, cls=Flag, is_flag=True, help=help)


def together(declared: Iterable[Declare]) -> Declare:
    """Declare several flags, in their order."""

    def declare(run: Run) -> Run:
        for each in reversed(list(declared)):
            run = each(run)
        return run

    return declare


def settings_flags(kind: type, title: str, *, skip: tuple[str, ...] = ()) -> Declare:
    """Declare a flag for each field of a settings class; the run gets them as `settings`.

    Args:
        kind: A settings class.
        title: Heading of the flags in the help.
        skip: Fields that get no flag here.
    """
    described = {name: each for name, each in options(kind) if name not in skip}
    defaults = kind()

    def declare(run: Run) -> Run:
        @wraps(run)
        def with_settings(*args: Any, **values: Any) -> None:
            chosen = {name: values.pop(name) for name in described}
            run(*args, settings=kind(**chosen), **values)

        return together(
            _setting(name, each, getattr(defaults, name), title) for name, each in described.items()
        )(with_settings)

    return declare


def _setting(name: str, described: Option, default: object, title: str) -> Declare:
    """Declare the flag of one setting."""
    facts = [] if described.kind is str and not described.choices else [described.range_text()]
    facts += [] if default in (None, "") else [f"default: {default}"]
    return flag(
        "--" + name.replace("_", "-"),
        read=one(described),
        default=default,
        metavar=name.upper() if described.choices else _METAVARS[described.kind],
        help=described.help + (f" ({'; '.join(facts)})" if facts else ""),
        section=title,
    )


def several_of(
    name: str, described: Option, default: object = None, words: tuple[str, ...] = ()
) -> Declare:
    """Declare a flag of several values with commas between them, required if it has no default.

    With the default () it may be left out, and there are no values then.
    """
    required = default is None
    ending = "" if default in (None, ()) else f"; default: {default}"
    return flag(
        name,
        read=several(described, words),
        metavar=f"{_METAVARS[described.kind]},...",
        help=f"{described.help}; several with commas between them "
        f"({_allowed(described, words)}{ending})",
        **(
            {"required": True}
            if required
            else {"default": default if default == () else (default,)}
        ),
    )


def output(metavar: str, help: str) -> Declare:
    """Declare where to write, and whether what is there may be replaced."""
    out = flag("-o", "--out", read=path, required=True, metavar=metavar, help=help)
    return together([out, force])


prompt = partial(checked_prompt, what="prompt")
"""Reads a prompt; an empty one is refused."""

text = partial(checked_text, what="value")
"""Reads any other text."""

force = switch("--force", "replace files that exist already")


def one(described: Option, words: tuple[str, ...] = ()) -> Callable[[str], Any]:
    """Return a function from a word to a checked value; some words stay as they are."""

    def read(word: str) -> Any:
        if word in words:
            return word
        try:
            value = described.kind(word)
        except ValueError as error:
            whole = "a whole number, " if described.kind is int else ""
            raise SettingsError(
                f"the value was {quoted(word)}, allowed is {whole}{_allowed(described, words)}."
            ) from error
        described.check("the value", value)
        return value

    return read


def _allowed(described: Option, words: tuple[str, ...]) -> str:
    """Return the allowed values in words."""
    return " or ".join([*map(repr, words), described.range_text()])


def several(described: Option, words: tuple[str, ...] = ()) -> Callable[[str], tuple[Any, ...]]:
    """Return a function from words with commas between them to checked values, each once."""
    read = one(described, words)
    return lambda word: tuple(dict.fromkeys(read(each.strip()) for each in word.split(",")))


def pairs(example: str) -> Callable[[str], dict[str, str]]:
    """Return a function from words such as "a=1,b=2" to values by name.

    Args:
        example: What an error gives as an example.
    """

    def read(words: str) -> dict[str, str]:
        found = [word.partition("=") for word in words.split(",")]
        if not all(name.strip() and value.strip() for name, _, value in found):
            raise InputError(f"the value was {words!r}, allowed is e.g. {example}.")
        return {name.strip(): value.strip() for name, _, value in found}

    return read


def path(word: str) -> Path:
    """Return a path; its bytes may be any but NUL."""
    if "\0" in word:
        raise InputError(f"the value was {quoted(word)}, and no path holds the byte 0.")
    return Path(word)
