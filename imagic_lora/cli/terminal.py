"""What people see while a command runs: one line of progress, notes, and the outcome.

Outcomes go to standard output; progress, notes and errors go to standard error. On a terminal the
progress is one line that is written over; elsewhere it is a few plain lines.
"""

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TextIO

from imagic_lora.errors import OutputError, heard_by
from imagic_lora.progress import OnProgress, Progress
from imagic_lora.units import bytes_text, seconds_text

QUIET_SECONDS = 10
"""Time between two lines of progress where they are not written over."""

_LONGEST_LINE = 2000
"""Most characters of a note or an error: a file's text may be quoted in it."""


class Terminal:
    """Writes to a pair of streams, and keeps the line of progress apart from the rest.

    Args:
        out: Where outcomes go.
        err: Where progress, notes and errors go.
    """

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self._out = out
        self._err = err
        self._rewrites = err.isatty()
        self._unfinished, self._passes = 0, False
        self._said = time.monotonic()

    def tell(self, text: str) -> None:
        """Write an outcome.

        Raises:
            OutputError: When it cannot be written.
        """
        self.finish_line()
        try:
            _write(self._out, f"{text}\n")
        except OSError as error:
            _drop(self._out)
            raise OutputError(
                f"the outcome cannot be written to standard output: {error.strerror}."
            ) from error

    def say(self, text: str) -> None:
        """Write a note or an error, as one line; its middle is left out where it has no end."""
        self.finish_line()
        line = " ".join(text.split())
        if len(line) > _LONGEST_LINE:
            line = f"{line[: _LONGEST_LINE // 2]} ... {line[-_LONGEST_LINE // 2 :]}"
        self._note(f"{line}\n")
        self._said = time.monotonic()

    def agrees(self, question: str) -> bool:
        """Ask a question and return whether the answer is yes; without anyone to ask it is no."""
        if not (self._rewrites and sys.stdin is not None and sys.stdin.isatty()):
            return False
        self.finish_line()
        self._note(f"{question} [y/N] ")
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def finish_line(self) -> None:
        """Move on to a fresh line where the progress has not; what was to pass is wiped."""
        if self._unfinished:
            self._note("\r".ljust(self._unfinished + 1) + "\r" if self._passes else "\n")
        self._unfinished, self._passes = 0, False

    def passing(self, text: str) -> None:
        """Show a text until something else is said, where it can be written over."""
        if self._rewrites:
            self._rewrite(text)
            self._passes = True

    def _note(self, text: str) -> None:
        """Write what no work is stopped for, even where nobody can read it any more."""
        try:
            _write(self._err, text)
        except OSError:
            _drop(self._err)

    def progress(self, label: str = "") -> OnProgress:
        """Return a callback that shows progress.

        Args:
            label: What is being worked on; written before the phase.
        """
        return partial(self._show, f"{label}: " if label else "")

    @contextmanager
    def showing_warnings(self) -> Iterator[None]:
        """Show each ImagicWarning of a block once, as a note; other warnings stay Python's."""
        seen: set[str] = set()

        def show(message: str) -> None:
            if message not in seen:
                seen.add(message)
                self.say(f"note: {message}")

        with heard_by(show):
            yield

    def _show(self, label: str, progress: Progress) -> None:
        """Show one step: over the last one on a terminal, else only now and then."""
        text = label + progress_text(progress)
        last = progress.step == progress.steps
        if self._rewrites:
            self._rewrite(text)
            if last:
                self.finish_line()
        elif last or time.monotonic() - self._said >= QUIET_SECONDS:
            self.say(text)

    def _rewrite(self, text: str) -> None:
        """Write over the unfinished line."""
        text = text[: shutil.get_terminal_size().columns - 1]
        self._note("\r" + text.ljust(self._unfinished))
        self._unfinished = len(text)


def _write(stream: TextIO, text: str) -> None:
    """Write a text at once; characters that the stream's encoding lacks are written as escapes."""
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def _drop(stream: TextIO) -> None:
    """Let what a stream could not write go nowhere, so that it does not fail once more at exit."""
    with suppress(OSError, ValueError), Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def progress_text(progress: Progress) -> str:
    """Return one step in words, e.g. "fit 12/80, loss 0.0431, 25 s left, peak 812 MB"."""
    loss = "" if progress.loss is None else f", loss {progress.loss:.4f}"
    last = progress.step == progress.steps
    seconds = progress.seconds if last else progress.seconds_left
    left = "" if last else " left"
    return (
        f"{progress.phase} {progress.step}/{progress.steps}{loss}, "
        f"{seconds_text(seconds)}{left}, peak {bytes_text(progress.peak_bytes)}"
    )
