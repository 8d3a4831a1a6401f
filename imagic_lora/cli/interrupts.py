"""Ctrl-C, and the signals that ask a program to end, during a fit: what was learned is kept."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from imagic_lora.cli.terminal import Terminal
from imagic_lora.progress import Progress, StopFit

_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
"""Ctrl-C, what batch systems and containers send first, and what a closed terminal sends."""


class Interrupt:
    """Turns the first signal of a block into the end of a fit; a second Ctrl-C is the usual one.

    Args:
        terminal: Where to show progress and say what happens.

    Attributes:
        stopped: Whether the fit was ended.
        signal: The signal that asked for it, or 0.
    """

    def __init__(self, terminal: Terminal) -> None:
        self.stopped = False
        self.signal = 0
        self._terminal = terminal
        self._show = terminal.progress()

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Take the signals for the length of a block; those that are ignored stay so."""
        usual = {each: signal.getsignal(each) for each in _SIGNALS}
        taken = [each for each in _SIGNALS if usual[each] not in (signal.SIG_IGN, None)]
        for each in taken:
            signal.signal(each, self._ask)
        try:
            yield
        finally:
            for each in taken:
                signal.signal(each, usual[each])

    def _ask(self, number: int, _: object) -> None:
        """Note the first signal, and let the next Ctrl-C through."""
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if self.signal:
            return
        self.signal = number
        # A stream that is being written to at this very moment takes nothing from a handler.
        with suppress(RuntimeError):
            self._terminal.say(
                "stopping after this step, to save what was learned; Ctrl-C again drops it"
            )

    def on_progress(self, progress: Progress) -> None:
        """Show a step of the fit, and end the fit if that was asked for."""
        self._show(progress)
        if self.signal:
            self.stopped = True
            raise StopFit
