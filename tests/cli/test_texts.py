"""Words from anywhere: whatever the command line is given, it answers in one sentence."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.support.command import Command, runner
from tests.support.handmade import made

HALF = "a \udcff"
"""What Python makes of a byte that is no UTF-8."""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Give the command line, where loading a model fails the test."""
    monkeypatch.setattr("imagic_lora.editor.load_model", lambda *_, **__: pytest.fail("loaded"))
    return runner(capsys)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Give a folder to work in, with an image and an adapter."""
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    made().save(tmp_path / "a.safetensors")
    return tmp_path


FIT = ["fit", "a.png", "--source", "a", "-o", "b.safetensors"]
EDIT = ["edit", "a.safetensors", "--model", "demo", "--alpha", "1", "-o", "b"]
UI = ["ui", "--port", "0"]
PLAN = ["plan", "--model", "sd15", "--memory", "8GB"]
LONG = "x" * 5000
HUGE = "9" * 400

WORDS = {
    "half target": [*FIT, "--target", HALF],
    "half source": [*FIT, "--source", HALF],
    "half negative": [*EDIT, "--negative", HALF],
    "half model": [*FIT, "--model", HALF],
    "half device": [*FIT, "--device", HALF],
    "half memory": [*FIT, "--memory", HALF],
    "half command": [HALF],
    "half flag": [*FIT, f"--{HALF}"],
    "half image": ["inspect", HALF],
    "nul target": [*FIT, "--target", "a\0b"],
    "nul image": ["fit", "a\0b", *FIT[2:]],
    "nul output": [*FIT, "-o", "a\0.safetensors"],
    "nul adapter": ["inspect", "a\0b"],
    "nul model": [*FIT, "--model", "a\0b"],
    "nul mask": [*EDIT, "--mask", "a\0b"],
    "nul folder": [*UI, "--adapters", "a\0b"],
    "long target": [*FIT, "--target", LONG * 3],
    "long image": ["fit", LONG, *FIT[2:]],
    "long output": [*FIT, "-o", f"{LONG}.safetensors"],
    "long folder": [*EDIT, "-o", LONG],
    "long adapter": ["edit", LONG, *EDIT[2:]],
    "long inspected": ["inspect", LONG],
    "long model": [*FIT, "--model", LONG],
    "long planned": [*PLAN, "--model", LONG],
    "long captioner": ["fit", "a.png", "--captioner", LONG, "-o", "b.safetensors"],
    "long mask": [*EDIT, "--mask", LONG],
    "long adapters": [*UI, "--adapters", LONG],
    "long command": [LONG],
    "long flag": [*FIT, f"--{LONG}", "1"],
    "long choice": [*EDIT, "--scheduler", LONG],
    "upper model": [*FIT, "--model", "../x"],
    "upper planned": [*PLAN, "--model", "../x"],
    "dotted model": [*FIT, "--model", "a..b/c--d"],
    "odd output": [*FIT, "-o", "."],
    "empty output": [*FIT, "-o", ""],
    "huge seed": [*FIT, "--seed", "9" * 5000],
    "huge seeds": [*EDIT, "--seeds", f"0,{'9' * 5000}"],
    "huge steps": [*FIT, "--steps", HUGE],
    "huge rank": [*FIT, "--rank", HUGE],
    "huge guidance": [*EDIT, "--guidance", HUGE],
    "huge width": [*EDIT, "--width", HUGE],
    "huge alpha": [*EDIT, "--alpha", HUGE],
    "huge port": ["ui", "--port", HUGE],
    "huge size": ["export", "a.safetensors", "--to", "adapter", "--max-size", "1e308", "-o", "b.safetensors"],
    "huge memory": [*PLAN, "--memory", f"{HUGE}GB"],
    "much memory": [*EDIT, "--memory", f"{HUGE}GB"],
}  # fmt: skip


@pytest.mark.parametrize("name", WORDS)
def test_odd_words_get_one_sentence(
    run: Command, place: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that are no text, NUL, endless names and numbers are refused before the work."""
    before = sorted(place.iterdir())

    with monkeypatch.context() as patch:
        patch.chdir(place)
        done = run(*WORDS[name])

    assert 2 == done.code
    assert 1 == len(done.err.splitlines())
    assert done.err.startswith("imagic-lora: error: ")
    assert len(done.err) < 2100
    assert before == sorted(place.iterdir())


def _program(*words: str, **how: object) -> "subprocess.CompletedProcess[bytes]":
    """Run the command line as a shell does."""
    program = [sys.executable, "-m", "imagic_lora", *words]
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how}
    return subprocess.run(program, check=False, **given)  # type: ignore[call-overload,no-any-return]


def test_an_odd_name_is_written_and_told(place: Path) -> None:
    """A file name of any bytes can be written, and a terminal of any encoding is told of it."""
    name = os.fsdecode(os.fsencode(place) + b"/\xff\xc3\xa9.safetensors")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii:strict"}

    words = ("export", str(place / "a.safetensors"), "--to", "kohya", "-o", name)
    done = _program(*words, env=environment)

    assert (0, b"") == (done.returncode, done.stderr)
    assert rb"\udcff\xe9.safetensors" in done.stdout
    assert Path(name).exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is full")
@pytest.mark.parametrize("words", [["fit", "--help"], ["inspect", "a.safetensors"]], ids=str)
def test_an_output_that_takes_nothing_is_said(words: list[str], place: Path) -> None:
    """Where standard output is full, that is one sentence, and not one more at the end."""
    with Path("/dev/full").open("wb") as full:
        done = _program(*words, stdout=full, cwd=place)

    (line,) = done.stderr.decode().splitlines()
    assert 2 == done.returncode
    assert "imagic-lora: error: the outcome cannot be written to standard output: No space" in line


def test_a_terminal_that_is_gone_stops_no_work(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Notes that nobody can read are lost; what was asked for is done."""

    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr("sys.stderr", Gone())

    assert 0 == run("models").code
    assert 2 == run("inspect", "none").code
