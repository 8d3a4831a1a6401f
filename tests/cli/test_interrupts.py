import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from PIL import Image

from imagic_lora import Adapter, Progress
from imagic_lora.cli.terminal import Terminal
from imagic_lora.progress import OnProgress
from tests.support.command import Command, runner
from tests.support.tiny import Kind

Press = Callable[..., None]

LONG = ("--steps", 100_000, "--outweigh", 0)
"""A fit that only an interrupt ends."""

PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from imagic_lora.cli.main import main
sys.exit(main())
"""
"""The command line, also where the tests run in the background and Ctrl-C is ignored."""


@dataclass(frozen=True)
class Shown:
    """A running program and the terminal that it writes to."""

    process: subprocess.Popen[bytes]
    screen: int

    def end(self, sent: int) -> int:
        """Send a signal once the fit is under way, and return the exit code."""
        with self.process, os.fdopen(self.screen, "rb", buffering=0) as screen:
            seen = b""
            while b"fit 3/100000" not in seen:
                seen += screen.read(4096)
            self.process.send_signal(sent)
            return self.process.wait(timeout=300)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Give a function that runs the command line, in which Ctrl-C is what it usually is."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield runner(capsys)
    assert signal.default_int_handler == signal.signal(signal.SIGINT, before)


@pytest.fixture
def place(tmp_path: Path, picture: Image.Image, adapter: Callable[[Kind], Adapter]) -> Path:
    """Give a folder with an image and the adapter of an earlier fit."""
    picture.save(tmp_path / "cat.png")
    adapter("sd1").save(tmp_path / "cat.safetensors")
    return tmp_path


@pytest.fixture
def press(monkeypatch: pytest.MonkeyPatch) -> Press:
    """Give a function that makes Ctrl-C, or other signals, come while a given step is shown."""
    progress = Terminal.progress

    def at(step: int, *sent: int) -> None:
        steps = count(1)

        def pressing(terminal: Terminal, label: str = "") -> OnProgress:
            show = progress(terminal, label)

            def shown(event: Progress) -> None:
                show(event)
                if event.phase in ("fit", "sample") and next(steps) == step:
                    for each in sent or (signal.SIGINT,):
                        signal.raise_signal(each)

            return shown

        monkeypatch.setattr(Terminal, "progress", pressing)

    return at


class Busy(io.StringIO):
    """A terminal on which something happens while a step is written; it takes nothing else then."""

    def __init__(self, step: str, happens: Callable[[], object]) -> None:
        super().__init__()
        self._step, self._happens = step, happens
        self._writing = False

    def write(self, text: str) -> int:
        """Write, as Python's own buffered streams do."""
        if self._writing:
            raise RuntimeError("reentrant call inside <_io.BufferedWriter name='<stderr>'>")
        self._writing = True
        if self._step in text:
            self._happens()
        self._writing = False
        return super().write(text)

    def isatty(self) -> bool:
        """Every step is written."""
        return True


def _fit(place: Path) -> list[object]:
    """Return the command of a fit that would replace the earlier one."""
    files = [place / "cat.png", "-o", place / "cat.safetensors", "--force"]
    return ["fit", *files, "--target", "a cat", "--source", "a", *LONG]


@pytest.mark.usefixtures("tiny")
def test_an_interrupted_fit_keeps_what_was_learned(run: Command, place: Path, press: Press) -> None:
    """Ctrl-C ends the fit after its step; the result is saved beside the output, which stays."""
    earlier = (place / "cat.safetensors").read_bytes()
    press(3)

    done = run(*_fit(place))

    partial = Adapter.load(place / "cat.partial.safetensors")
    assert (130, 3) == (done.code, len(partial.record.losses))
    assert earlier == (place / "cat.safetensors").read_bytes()
    assert f"learned is in {place}/cat.partial.safetensors, and {place}/cat.safet" in done.err
    assert ("", "imagic-lora: interrupted.") == (done.out, done.err.splitlines()[-1])


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP])
def test_a_fit_that_is_asked_to_end_keeps_what_was_learned(
    run: Command, place: Path, press: Press, sent: int
) -> None:
    """What batch systems, containers and closed terminals send is taken like Ctrl-C."""
    usual = signal.signal(sent, signal.SIG_DFL)
    press(2, sent)

    done = run(*_fit(place))

    assert (128 + sent, signal.SIG_DFL) == (done.code, signal.signal(sent, usual))
    assert 2 == len(Adapter.load(place / "cat.partial.safetensors").record.losses)


@pytest.mark.usefixtures("tiny")
def test_a_signal_that_is_ignored_stays_so(run: Command, place: Path, press: Press) -> None:
    """Whoever started the fit with nohup wants it to go on without the terminal."""
    usual = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    press(1, signal.SIGHUP)

    done = run(*_fit(place), "--steps", 2)

    assert (0, signal.SIG_IGN) == (done.code, signal.signal(signal.SIGHUP, usual))
    assert 2 == len(Adapter.load(place / "cat.safetensors").record.losses)


@pytest.mark.usefixtures("tiny")
def test_an_interrupted_fit_of_a_long_name_is_kept(run: Command, place: Path, press: Press) -> None:
    """The name beside the output is cut to what file systems allow."""
    press(1)

    done = run(
        "fit", place / "cat.png", "--source", "a", *LONG, "-o", place / f"{'x' * 243}.safetensors"
    )

    (kept,) = place.glob("x*.partial.safetensors")
    assert (130, 1) == (done.code, len(Adapter.load(kept).record.losses))


@pytest.mark.usefixtures("tiny")
def test_a_fit_whose_folder_vanished_is_kept(
    run: Command, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finished fit goes elsewhere where it cannot be written, and the exit code says so."""
    folder = place / "new"
    screen = Busy("fit 1/", partial(folder.write_bytes, b""))
    monkeypatch.setattr(Path, "home", lambda: place)
    monkeypatch.setattr("sys.stderr", screen)
    words = ("--source", "a", "--steps", 1, "-o", folder / "cat.safetensors")

    done = run("fit", place / "cat.png", *words)

    assert 2 == done.code
    assert f"What was learned is in {place}/cat-2.safetensors instead." in screen.getvalue()
    assert 1 == len(Adapter.load(place / "cat-2.safetensors").record.losses)


@pytest.mark.usefixtures("tiny")
def test_an_earlier_partial_fit_is_kept(run: Command, place: Path, press: Press) -> None:
    """A second interrupted fit takes another name."""
    (place / "cat.partial.safetensors").write_bytes(b"earlier")
    press(1)

    run(*_fit(place))

    assert b"earlier" == (place / "cat.partial.safetensors").read_bytes()
    assert 1 == len(Adapter.load(place / "cat.partial-2.safetensors").record.losses)


@pytest.mark.usefixtures("tiny")
def test_a_partial_fit_can_be_edited(run: Command, place: Path, press: Press) -> None:
    """What an interrupted fit leaves is an adapter like any other."""
    press(2)
    run(*_fit(place))

    out = place / "a.png"
    done = run("edit", place / "cat.partial.safetensors", "--alpha", 1, "--steps", 2, "-o", out)

    assert (0, True) == (done.code, out.exists())


@pytest.mark.usefixtures("tiny")
def test_a_second_interrupt_ends_at_once(run: Command, place: Path, press: Press) -> None:
    """Whoever presses Ctrl-C twice does not wait, and nothing is written."""
    before = {path: path.read_bytes() for path in place.iterdir()}
    press(1, signal.SIGINT, signal.SIGINT)

    assert 130 == run(*_fit(place)).code
    assert before == {path: path.read_bytes() for path in place.iterdir()}


@pytest.mark.usefixtures("tiny")
def test_interrupted_edits_leave_whole_pictures(run: Command, place: Path, press: Press) -> None:
    """The pictures that were finished stay, and nothing is half-written."""
    words = ("edit", place / "cat.safetensors", "--alpha", "0,1,2", "--steps", 4)
    press(5)  # of an edit's 3 steps each, in the second one

    done = run(*words, "-o", place / "cats")

    assert 130 == done.code
    assert [place / "cats" / "alpha_0.0_seed_0.png"] == list((place / "cats").iterdir())
    assert "imagic-lora: interrupted." == done.err.splitlines()[-1]


@pytest.mark.usefixtures("tiny")
def test_an_interrupt_while_progress_is_written_counts(
    run: Command, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The note may be lost, what was learned is not."""
    interrupted = Busy("fit 2/", partial(signal.raise_signal, signal.SIGINT))
    monkeypatch.setattr("sys.stderr", interrupted)

    assert 130 == run(*_fit(place)).code
    assert 2 == len(Adapter.load(place / "cat.partial.safetensors").record.losses)


@pytest.fixture
def begin(
    tmp_path: Path, picture: Image.Image, folder: Callable[[Kind], Path]
) -> Callable[[str], tuple[Path, Shown]]:
    """Give a function that begins a fit, over an earlier result, in a process of its own."""

    def start(name: str) -> tuple[Path, Shown]:
        place = tmp_path / name
        place.mkdir()
        picture.save(place / "cat.png")
        (place / "cat.safetensors").write_bytes(b"earlier")
        words = [*map(str, _fit(place)), "--model", str(folder("sd1"))]
        screen, end = os.openpty()
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, *words], stderr=end)
        os.close(end)
        return place, Shown(process, screen)

    return start


@pytest.mark.early
def test_a_killed_fit_leaves_the_previous_file(begin: Callable[[str], tuple[Path, Shown]]) -> None:
    """However a running fit is ended from outside, the earlier adapter is as it was."""
    stopped, killed = begin("stopped"), begin("killed")  # at once, since both take long to start

    codes = [stopped[1].end(signal.SIGINT), killed[1].end(signal.SIGKILL)]

    assert [130, -signal.SIGKILL] == codes
    left = [sorted(path.name for path in place.iterdir()) for place, _ in (stopped, killed)]
    assert ["cat.partial.safetensors", "cat.png", "cat.safetensors"] == left[0]
    assert ["cat.png", "cat.safetensors"] == left[1]
    for place, _ in (stopped, killed):
        assert b"earlier" == (place / "cat.safetensors").read_bytes()
