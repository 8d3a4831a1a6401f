import io
import os
import shutil
import time
import warnings

import pytest

from imagic_lora.cli.terminal import QUIET_SECONDS, Terminal, progress_text
from imagic_lora.errors import warn
from imagic_lora.progress import Progress


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Return that it is one."""
        return True


def _step(step: int, *, loss: float | None = 0.25, steps: int = 4) -> Progress:
    """Return a step that took two seconds."""
    return Progress(
        phase="fit",
        step=step,
        steps=steps,
        loss=loss,
        seconds=2.0 * step,
        peak_bytes=812_000_000,
    )


def test_a_step_is_told_in_words() -> None:
    """Progress has phase, steps, loss, time left and peak memory; the last one the time taken."""
    assert "fit 1/4, loss 0.2500, 6 s left, peak 812 MB" == progress_text(_step(1))
    assert "fit 4/4, 8 s, peak 812 MB" == progress_text(_step(4, loss=None))


def test_on_a_terminal_one_line_is_written_over() -> None:
    """Every step takes the place of the last one, without leaving any of it behind."""
    screen = Screen()
    show = Terminal(io.StringIO(), screen).progress("[1/2] alpha 1")

    show(_step(1))
    show(_step(4, loss=None))

    first, second, end = screen.getvalue().removeprefix("\r").replace("\n", "\r").split("\r")
    assert "[1/2] alpha 1: fit 1/4, loss 0.2500, 6 s left, peak 812 MB" == first
    assert "[1/2] alpha 1: fit 4/4, 8 s, peak 812 MB" == second.rstrip()
    assert len(first) == len(second)
    assert "" == end


def test_a_narrow_terminal_is_never_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that is written over must stay on one row of the screen."""
    monkeypatch.setattr(shutil, "get_terminal_size", lambda *_: os.terminal_size((20, 5)))
    screen = Screen()

    Terminal(io.StringIO(), screen).progress()(_step(1))

    assert "\rfit 1/4, loss 0.250" == screen.getvalue()


def test_what_else_is_written_begins_on_a_fresh_line() -> None:
    """A note or an outcome does not run into the progress."""
    screen = Screen()
    terminal = Terminal(screen, screen)

    terminal.progress()(_step(1))
    terminal.say("a note")
    terminal.progress()(_step(1))
    terminal.tell("done")
    terminal.finish_line()

    lines = screen.getvalue().split("\n")
    assert ["a note", "done", ""] == [lines[1], lines[3], lines[4]]


def test_elsewhere_there_are_few_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a log a phase's last step is shown, and one step each time that some seconds passed."""
    log = io.StringIO()
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    show = Terminal(io.StringIO(), log).progress()
    for step in range(1, 101):
        now += QUIET_SECONDS / 40
        show(_step(step, steps=100))

    shown = [line.split(",")[0] for line in log.getvalue().splitlines()]

    assert ["fit 40/100", "fit 80/100", "fit 100/100"] == shown
    assert "\r" not in log.getvalue()


def test_a_note_is_one_line() -> None:
    """Whatever a message holds, one sentence is one line."""
    log = io.StringIO()

    Terminal(io.StringIO(), log).say("one\n  two")

    assert "one two\n" == log.getvalue()


def test_a_warning_of_ours_is_shown_once_as_a_note() -> None:
    """The same warning from every picture of a sweep is one note."""
    log = io.StringIO()

    with Terminal(io.StringIO(), log).showing_warnings():
        for text in ("it was cut", "it was cut", "it was rounded"):
            warn(text)

    assert "note: it was cut\nnote: it was rounded\n" == log.getvalue()


def test_other_warnings_stay_pythons() -> None:
    """A warning of another package is neither hidden nor dressed up as a note of ours."""
    log = io.StringIO()

    with (
        pytest.warns(UserWarning, match="theirs"),
        Terminal(io.StringIO(), log).showing_warnings(),
    ):
        warnings.warn("theirs", UserWarning, stacklevel=1)

    assert "" == log.getvalue()


def test_pythons_way_with_warnings_is_put_back() -> None:
    """After the block, warnings are shown and filtered as before it."""
    before = (warnings.showwarning, list(warnings.filters))

    with Terminal(io.StringIO(), io.StringIO()).showing_warnings():
        pass

    assert before == (warnings.showwarning, list(warnings.filters))
