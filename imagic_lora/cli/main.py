"""The program: its commands, and what its errors and interrupts mean to a shell."""

import io
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version

import click

from imagic_lora.cli.commands.bench import bench
from imagic_lora.cli.commands.demo import demo
from imagic_lora.cli.commands.edit import edit
from imagic_lora.cli.commands.export import export
from imagic_lora.cli.commands.fit import fit
from imagic_lora.cli.commands.img2img import img2img
from imagic_lora.cli.commands.inspect import inspect
from imagic_lora.cli.commands.models import models
from imagic_lora.cli.commands.plan import plan
from imagic_lora.cli.commands.run import run
from imagic_lora.cli.commands.ui import ui
from imagic_lora.cli.flags import Command, answer
from imagic_lora.cli.terminal import Terminal
from imagic_lora.cli.usage import sentence
from imagic_lora.errors import ImagicError

REFUSED = 2
"""Exit code where something that was asked for cannot be done."""


class Program(Command, click.Group):
    """The program itself; its commands stand in the order in which people need them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  as click calls it
        """Return the names of the commands."""
        return list(self.commands)


program = Program(
    "imagic-lora",
    params=[answer("--version", "say which version this is", lambda _: version("imagic-lora"))],
    commands=[demo, fit, edit, img2img, run, bench, export, inspect, models, plan, ui],
    help="Text-guided editing of one image: fit a small adapter once, edit it at any strength.",
    subcommand_metavar="COMMAND ...",
    no_args_is_help=False,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: The words after the program's name; default: those of this process.
    """
    terminal = Terminal(sys.stdout or io.StringIO(), sys.stderr or io.StringIO())
    try:
        return _run(list(sys.argv[1:] if argv is None else argv), terminal)
    except click.UsageError as error:
        terminal.say(f"imagic-lora: error: {sentence(error)}")
        return REFUSED
    except ImagicError as error:
        terminal.say(f"imagic-lora: error: {error}")
        return REFUSED
    except KeyboardInterrupt as end:
        terminal.say("imagic-lora: interrupted.")
        return 128 + (end.args[0] if end.args else signal.SIGINT)  # as shells have it
    finally:
        terminal.finish_line()


def _run(words: list[str], terminal: Terminal) -> int:
    """Run one command and return its exit code; help and version are over with what they say."""
    try:
        context = program.make_context("imagic-lora", words, obj=terminal)
        with context, terminal.showing_warnings():
            program.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    return 0
