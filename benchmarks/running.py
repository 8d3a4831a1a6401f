"""A run of the command line in a process of its own, whose events are read and whose workers fail."""

import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

Event = dict[str, Any]


class Running:
    """A run that was started.

    Args:
        words: What the command is given.
        most_bytes: Bytes beyond which no file of it may grow; -1 for any.
    """

    def __init__(self, words: Sequence[str], most_bytes: int = -1) -> None:
        def limit() -> None:
            if most_bytes >= 0:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

        self._began = time.monotonic()
        self._processes: dict[str, int] = {}
        self._landed: list[Event] = []
        self._ready = self._last = 0.0
        self.summary: Event = {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "imagic_lora", "run", *words, "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            preexec_fn=limit,  # noqa: PLW1509  no thread is there before it
        )

    def __iter__(self) -> Iterator[Event]:
        """Yield what happens, as it happens."""
        for line in self._process.stdout or ():
            event: Event = json.loads(line)
            if event["event"] == "ready":
                self._processes[event["worker"]] = event["process"]
                self._ready = self._ready or time.monotonic()
            elif event["event"] == "landed":
                self._landed.append(event["outcome"])
                self._last = time.monotonic()
            elif event["event"] == "ended":
                self.summary = event
            yield event

    def kill(self, worker: str) -> None:
        """End a worker at once."""
        self._send(worker, signal.SIGKILL)

    def stop(self, worker: str) -> None:
        """Let a worker hang."""
        self._send(worker, signal.SIGSTOP)

    def _send(self, worker: str, number: signal.Signals) -> None:
        """Send a signal to a worker, which may be gone already."""
        with suppress(ProcessLookupError):
            os.kill(self._processes[worker], number)

    def befallen(self, faults: "Faults") -> bool:
        """Let faults befall the run in their order; return whether it came to its own end."""
        for event in self:
            kind = faults.due(event)
            if kind == "worker killed":
                self.kill(event["worker"])
            elif kind == "worker hangs":
                self.stop(event["worker"])
            elif kind == "driver killed":
                self._process.kill()
                self._process.wait()
                return False
        return True

    def ended(self) -> dict[str, Any]:
        """Return what it came to: its exit code, how its rows ended, and how fast it was."""
        code = self._process.wait()
        statuses = Counter(f"{each['status']}, {each['tries']} tries" for each in self._landed)
        working = self._last - self._ready if self._landed else 0.0
        names = ("rows", "ok", "error", "died", "timeout", "left")
        return {
            "code": code,
            "seconds": round(time.monotonic() - self._began, 1),
            "seconds working": round(working, 1),
            "rows now": len(self._landed),
            "endings": dict(statuses),
            **{name: self.summary.get(name) for name in names},
        }


class Faults:
    """Faults that befall a run one after another, evenly over its rows.

    Args:
        count: How many.
        rows: How many rows the run has.
        kinds: Of which kinds, in turn.
        chance: Where in a row each of them falls.

    Attributes:
        done: The kinds of those that were.
    """

    def __init__(self, count: int, rows: int, kinds: Sequence[str], chance: random.Random) -> None:
        self._kinds = [kinds[n % len(kinds)] for n in range(count)]
        self._places = [rows * (n + chance.random()) / (count + 1) for n in range(count)]
        self._ended = 0
        self.done: list[str] = []

    def due(self, event: Event) -> str:
        """Return the kind of the fault that is due with an event, or ""; a fit is what it falls on."""
        if event["event"] == "begun":
            self._ended = event["done"]
        if event["event"] == "landed":
            self._ended = event["ended"]
        place = len(self.done)
        fitting = event["event"] == "step" and event["progress"]["phase"].startswith("fit")
        if not fitting or place == len(self._kinds) or self._ended < self._places[place]:
            return ""
        self.done.append(self._kinds[place])
        return self.done[-1]


def told(running: Running) -> dict[str, Any]:
    """Return what a run came to, once it is over."""
    for _ in running:
        pass
    return running.ended()


def files(out: Path) -> dict[str, str]:
    """Return the hash of every adapter and picture of a run, and of whatever else is there."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in ("adapters", "pictures")
        if (out / folder).exists()
        for path in sorted((out / folder).iterdir())
    }


def smaller(out: Path, share: float) -> int:
    """Return a size below that of the largest file of a run."""
    return int(share * max((out / name).stat().st_size for name in files(out)))
