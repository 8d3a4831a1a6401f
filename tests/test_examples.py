"""The examples are at least what their tools can read, and call what is there."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.command import parsed

EXAMPLES = Path(__file__).parents[1] / "examples"
FILES = sorted(EXAMPLES.iterdir())


def test_there_are_examples() -> None:
    """There is one for each scheduler of the page about many pictures."""
    page = (EXAMPLES.parent / "docs" / "many-pictures.md").read_text("utf-8")

    assert {path.name for path in FILES} == set(re.findall(r"`examples/([\w.]+)`", page))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.name))
def test_an_example_can_be_read(path: Path) -> None:
    """A script is one, and YAML is YAML."""
    if path.suffix == ".sh":
        assert 0 == subprocess.run(["/bin/bash", "-n", path], check=False).returncode
    else:
        assert all(isinstance(each, dict) for each in yaml.safe_load_all(path.read_text("utf-8")))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.name))
def test_an_example_runs_a_command_that_there_is(path: Path) -> None:
    """Its words are those of the command line."""
    (words,) = re.findall(r"^(?!#).*imagic-lora run (.*)$", path.read_text("utf-8"), re.MULTILINE)
    found: dict[str, Any] = parsed("run", *shlex.split(re.sub(r"\$\w+", "3", words)))

    assert "sd15" == found["model"]
    assert ("3/16" == found["shard"]) != ("auto" == found["ray"])
