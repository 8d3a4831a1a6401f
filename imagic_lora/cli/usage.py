"""What is wrong with a command line, in the form of the library's own errors."""

from collections.abc import Iterable

import click

from imagic_lora.errors import near_match


def sentence(error: click.UsageError) -> str:
    """Return what is wrong and where the help is."""
    problem = _problem(error)
    stop = "" if problem.endswith((".", "?")) else "."
    path = "imagic-lora" if error.ctx is None else error.ctx.command_path
    return f"{problem}{stop} See {path} --help."


def _problem(error: click.UsageError) -> str:
    """Return what is wrong, with a near match for what was mistyped."""
    if isinstance(error, click.exceptions.NoSuchCommand):
        names = _commands(error.ctx)
        return (
            f"there is no command {error.command_name!r}, allowed is one of {', '.join(names)}."
            + near_match(error.command_name, names)
        )
    if isinstance(error, click.NoSuchOption):
        return f"there is no flag {error.option_name}." + near_match(
            error.option_name, _flags(error.ctx)
        )
    if isinstance(error, click.MissingParameter):
        return f"a value is required: {name(error.param)}."
    if isinstance(error, click.BadParameter):
        return f"argument {name(error.param)}: {_going_on(error.message)}"
    return _going_on(error.message)


def _going_on(message: str) -> str:
    """Return a message as it stands within a sentence."""
    return message[:1].lower() + message[1:]


def name(param: click.Parameter | None) -> str:
    """Return what people know a flag or an argument by."""
    if isinstance(param, click.Argument):
        return param.human_readable_name
    return "" if param is None else "/".join(param.opts)


def _commands(context: click.Context | None) -> list[str]:
    """Return the names of the commands."""
    command = None if context is None else context.command
    return list(command.commands) if isinstance(command, click.Group) else []


def _flags(context: click.Context | None) -> Iterable[str]:
    """Return the flags of the command that was given."""
    return (
        [] if context is None else [flag for each in context.command.params for flag in each.opts]
    )
