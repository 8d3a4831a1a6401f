import io
import socket
from pathlib import Path
from typing import Any

import pytest

from imagic_lora import OutputError
from tests.support.command import Command, runner


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Give the command line, where loading a model or serving a page fails the test."""

    def never(*_: Any, **__: Any) -> None:
        pytest.fail("heavy work began")

    monkeypatch.setattr("imagic_lora.cli.model.BaseModel.load", never)
    return runner(capsys)


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give a function that says what standard input holds."""
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])  # noqa: S104
def test_other_machines_need_a_password(run: Command, host: str) -> None:
    """Listening to more than this machine without a password is refused before anything is loaded."""
    done = run("ui", "--host", host)

    assert 2 == done.code
    assert f"--host {host}" in done.error
    assert "--auth NAME" in done.error


@pytest.mark.parametrize(("name", "password"), [("", "secret\n"), ("mia", "\n"), ("mia", "")])
def test_an_empty_password_is_none(run: Command, typed: Any, name: str, password: str) -> None:
    """A name or a password that is empty lets nobody in and nobody on."""
    typed(password)

    done = run("ui", "--host", "0.0.0.0", "--auth", name)  # noqa: S104

    assert 2 == done.code
    assert "a name and a password" in done.error


def test_a_port_that_is_taken_is_said_at_once(run: Command) -> None:
    """Nothing is loaded only to find that the page cannot be served."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run("ui", "--port", taken.getsockname()[1])

    assert 2 == done.code
    assert "choose another with --port" in done.error


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_is_none_is_refused(run: Command, port: int) -> None:
    """Ports go from 0 to 65535."""
    done = run("ui", "--port", port)

    assert 2 == done.code
    assert f"--port: the value was {port}, allowed is 0 to 65535" in done.error


def test_a_folder_that_cannot_be_is_refused(run: Command, tmp_path: Path) -> None:
    """Adapters that could not be saved after a fit are found before it."""
    (tmp_path / "file").write_text("mine")

    done = run("ui", "--adapters", tmp_path / "file")

    assert 2 == done.code
    assert "file" in done.error


def test_without_gradio_the_extra_is_named(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who lacks the page's packages is told what to install."""
    monkeypatch.setattr("imagic_lora.ui.find_spec", lambda _: None)

    done = run("ui")

    assert 2 == done.code
    assert "pip install 'imagic-lora[ui]'" in done.error


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ((), [True]),
        (("--auth", "mia"), [False]),
        (("--host", "0.0.0.0", "--auth", "mia"), [False]),  # noqa: S104
    ],
    ids=["alone", "login", "network"],
)
def test_only_its_owner_may_change_the_model(
    run: Command,
    typed: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    flags: tuple[str, ...],
    expected: list[bool],
) -> None:
    """A page that others can reach loads no folder and fetches no model for them."""
    asked: list[bool] = []

    def open_workspace(_: Any, __: Path, choice: Any) -> None:
        asked.append(choice is not None)
        raise OutputError("this is enough.")

    monkeypatch.setattr("imagic_lora.cli.commands.ui._loaded", lambda *_: None)
    monkeypatch.setattr("imagic_lora.ui.serving.server.open_workspace", open_workspace)
    typed("secret\n")
    run("ui", "--port", "0", "--adapters", tmp_path, *flags)

    assert expected == asked
