"""The command line: parse, check, hand over to the library, write.

Each command is a module of commands/ with one function, `run`; it is imported when its command
is given, so that asking for help loads nothing heavy.
"""

import sys
from collections.abc import Sequence
from importlib import import_module

from imagic_lora.cli.parser import build_parser
from imagic_lora.cli.terminal import Terminal
from imagic_lora.errors import ImagicError

__all__ = ["build_parser", "main"]

REFUSED = 2
"""Exit code where something that was asked for cannot be done."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 and the number of the signal."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: The words after the program's name; default: those of this process.

    Raises:
        SystemExit: Where only the help or the version was asked for.
    """
    terminal = Terminal(sys.stdout, sys.stderr)
    try:
        args = build_parser().parse_args(argv)
        command = import_module(f"imagic_lora.cli.commands.{args.command}")
        with terminal.showing_warnings():
            command.run(args, terminal)
    except ImagicError as error:
        terminal.say(f"imagic-lora: error: {error}")
        return REFUSED
    except KeyboardInterrupt:
        terminal.say("imagic-lora: interrupted.")
        return INTERRUPTED
    finally:
        terminal.finish_line()
    return 0
