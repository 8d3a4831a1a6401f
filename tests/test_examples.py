"""The examples are at least what their tools can read, and call what is there."""

import os
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import gradio
import pytest
import yaml

from imagic_lora.images.png import read_record
from tests.support.command import parsed

EXAMPLES = Path(__file__).parents[1] / "examples"
FILES = sorted(path for path in EXAMPLES.iterdir() if path.suffix in (".sh", ".yaml"))


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


@pytest.mark.early
def test_the_notebook_runs_from_top_to_bottom(tmp_path: Path) -> None:
    """On the bundled model it learns, edits, sweeps, packs, and opens the page, without an error."""
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient").NotebookClient
    notebook = nbformat.read(EXAMPLES / "imagic_lora.ipynb", as_version=4)
    assert not [cell for cell in notebook.cells if cell.get("outputs")]
    client(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()

    assert "a girl with a flower" == (read_record(tmp_path / "edit.png") or {})["target"]
    assert "a girl wearing glasses" == (read_record(tmp_path / "other.png") or {})["target"]
    with zipfile.ZipFile(tmp_path / "pictures.zip") as archive:
        assert {"my-picture.safetensors", "sheet.png"} < set(archive.namelist())
    shown = [
        name
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        for name in output.get("data", {})
    ]
    assert 4 == shown.count("image/png")


_ASK = """
import sys, urllib.request as web
asked = web.Request(sys.argv[1], headers={"Host": "somebody-imagic.hf.space"})
with web.urlopen(asked, timeout=60) as answer:
    print(answer.status, answer.headers["content-security-policy"])
"""


def test_the_space_runs_as_it_stands(tmp_path: Path) -> None:
    """Its header names a file that serves the page to the Hub, which alone may frame it."""
    space = EXAMPLES / "space"
    _, header, _ = (space / "README.md").read_text("utf-8").split("---\n", 2)
    described = yaml.safe_load(header)
    assert ("gradio", gradio.__version__) == (described["sdk"], described["sdk_version"])
    place = {"PYTHONPATH": str(EXAMPLES.parent), "GRADIO_SERVER_PORT": "0"}
    process = subprocess.Popen(
        [sys.executable, space / described["app_file"]],
        cwd=tmp_path,
        env={**os.environ, **place},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found
            asked = subprocess.run(
                [sys.executable, "-c", _ASK, found[0]], capture_output=True, text=True, check=True
            )
            assert asked.stdout.startswith("200 ")
            assert asked.stdout.strip().endswith("frame-ancestors https://huggingface.co")
        finally:
            process.terminate()
