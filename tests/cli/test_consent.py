import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagic_lora import ModelError
from imagic_lora.cli.consent import ask_for
from imagic_lora.cli.terminal import Terminal
from tests.support.command import Command, runner
from tests.support.handmade import made

HUB = "somebody/something"


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Return that it is one."""
        return True


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """Give a function that runs the command line."""
    return runner(capsys)


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[str], Path]:
    """Give a function that saves an adapter which names a base model."""

    def save(model: str) -> Path:
        adapter = made()
        named = replace(adapter, record=replace(adapter.record, base_model=model))
        named.save(tmp_path / "a.safetensors", force=True)
        return tmp_path / "a.safetensors"

    return save


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the names of the models that were loaded or fetched; none is."""
    names: list[str] = []

    def load(name: Any, *_: Any, **__: Any) -> None:
        names.append(str(name))
        raise ModelError("it goes no further.")

    monkeypatch.setattr("imagic_lora.planning.choose.choose", load)
    return names


def _edit(file: Path, *words: object) -> list[object]:
    """Return the command of one edit."""
    return ["edit", file, "--alpha", 1, "-o", file.parent / "a.png", *words]


def test_a_file_alone_makes_nothing_be_fetched(
    run: Command, saved: Callable[[str], Path], fetched: list[str]
) -> None:
    """A model of the Hub that only the file names is refused, with what to type."""
    done = run(*_edit(saved(HUB)))

    assert (2, []) == (done.code, fetched)
    assert f"names the base model '{HUB}', which was never fetched" in done.error
    assert "give --yes to fetch it from the Hub, or name another model with --model" in done.error


def test_a_file_alone_makes_no_folder_be_read(
    run: Command,
    saved: Callable[[str], Path],
    fetched: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A folder of the name that stands in the file is not opened unasked."""
    (tmp_path / "models").mkdir()

    with monkeypatch.context() as patch:
        patch.chdir(tmp_path)
        done = run(*_edit(saved("models")))

    assert (2, []) == (done.code, fetched)
    assert "'models', which is a file or folder here; give --yes to read it" in done.error


@pytest.mark.parametrize("words", [["--yes"], ["--model", HUB]], ids=["yes", "named"])
def test_who_says_so_is_not_asked(
    run: Command, saved: Callable[[str], Path], fetched: list[str], words: list[str]
) -> None:
    """--yes is the answer for scripts, and a model that was given needs none."""
    run(*_edit(saved(HUB), *words))

    assert [HUB] == fetched


def test_a_model_that_was_fetched_before_needs_no_answer(
    run: Command, saved: Callable[[str], Path], fetched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies in the local cache was asked for once already; so was the bundled model."""
    monkeypatch.setattr("imagic_lora.hub.try_to_load_from_cache", lambda *_: "model_index.json")

    run(*_edit(saved(HUB)))
    run(*_edit(saved("demo")))

    assert [HUB, "demo"] == fetched


@pytest.mark.parametrize(
    "name",
    ["../../..", "..", ".", "a/..", "/etc", "a/b/c", "a\\b", "\x1b[2J", "", "x" * 5000, "a\nb"],
)
def test_a_name_that_is_none_is_refused(
    run: Command, saved: Callable[[str], Path], fetched: list[str], name: str
) -> None:
    """Paths, control characters and endless names are no name, even for who says yes."""
    done = run(*_edit(saved(name), "--yes"))

    assert (2, []) == (done.code, fetched)
    assert "a Hub name (owner/name)" in done.error
    assert len(done.error) < 400
    assert done.error.isprintable()


@pytest.mark.parametrize(
    ("answer", "used"), [("y\n", True), ("Yes\n", True), ("", False), ("n\n", False)]
)
def test_people_are_asked(*, answer: str, used: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the question names the model, and anything but yes is no."""
    screen = Screen()
    monkeypatch.setattr("sys.stdin", Screen(answer))
    terminal = Terminal(io.StringIO(), screen)

    if used:
        ask_for(HUB, terminal, yes=False)
    else:
        with pytest.raises(ModelError, match="give --yes"):
            ask_for(HUB, terminal, yes=False)

    assert f"'{HUB}', which was never fetched to this machine; fetch it from the Hub? [y/N] " in (
        screen.getvalue()
    )
