"""What people see while a command runs: one line of progress, notes, and the outcome.

Outcomes go to standard output; progress, notes and errors go to standard error. On a terminal the
progress is one line that is written over; elsewhere it is a few plain lines.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TextIO

from imagic_lora.errors import heard_by
from imagic_lora.progress import OnProgress, Progress
from imagic_lora.units import bytes_text, seconds_text

QUIET_SECONDS = 10
"""Time between two lines of progress where they are not written over."""


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
        self._unfinished = 0
        self._said = time.monotonic()

    def tell(self, text: str) -> None:
        """Write an outcome."""
        self.finish_line()
        self._out.write(f"{text}\n")
        self._out.flush()

    def say(self, text: str) -> None:
        """Write a note or an error, as one line."""
        self.finish_line()
        self._err.write(" ".join(text.split()) + "\n")
        self._err.flush()
        self._said = time.monotonic()

    def finish_line(self) -> None:
        """Move on to a fresh line where the progress has not."""
        if self._unfinished:
            self._err.write("\n")
            self._err.flush()
            self._unfinished = 0

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
        self._err.write("\r" + text.ljust(self._unfinished))
        self._err.flush()
        self._unfinished = len(text)


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
