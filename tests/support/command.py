"""Running the command line inside a test, and the flags that it has."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from imagic_lora.cli import build_parser, main


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


def actions(command: str) -> dict[str, argparse.Action]:
    """Return the flags of a command by their longest name."""
    (commands,) = (
        action.choices
        for action in build_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return {
        max(action.option_strings, key=len): action
        for action in commands[command]._actions
        if action.option_strings
    }
