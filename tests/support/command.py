"""Running the command line inside a test, and the flags that it has."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click
import pytest

from imagic_lora.cli.main import main, program


@dataclass(frozen=True)
class Done:
    """What a command left behind: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The error, which must be the last line and the only one that is an error."""
        *before, last = self.err.splitlines()
        assert not [line for line in before if "error" in line]
        return last


Command = Callable[..., Done]


def runner(capsys: pytest.CaptureFixture[str]) -> Command:
    """Return a function from words to what the command did."""

    def run(*words: object) -> Done:
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Done(code, *capsys.readouterr())

    return run


def flags(command: str) -> dict[str, click.Option]:
    """Return the flags of a command by their longest name."""
    return {
        max(param.opts, key=len): param
        for param in program.commands[command].params
        if isinstance(param, click.Option)
    }


def parsed(command: str, *words: str) -> dict[str, Any]:
    """Return what a command makes of its words, without running it."""
    return program.commands[command].make_context(command, list(words)).params
