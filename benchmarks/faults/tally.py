"""What became of a block of tries: refused, accepted, or a fault; and what they took."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from imagic_lora.errors import ImagicError, heard_by

Result = TypeVar("Result")

SLOW = 30.0
"""Seconds of the processor above which a try is too slow; others may use the machine, too."""

HUNG = 3600.0
"""Seconds after which a try hangs, however little of the processor others leave it, and is ended."""

_SHOWN = 12
"""Kinds of faults that are written down, each with one example."""


@dataclass
class Tally:
    """Outcomes of tries.

    Attributes:
        counts: How many tries had each outcome.
        faults: How often each kind of fault arose, by a sentence that tells how to see it again.
        slowest: Most seconds of the processor that a try took.
        largest: Most bytes that memory grew by in a try.
    """

    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    largest: int = 0

    def attempt(
        self, label: str, work: Callable[[], Result], most_bytes: int | None = None
    ) -> Result | None:
        """Do one piece of work, and return what comes of it, or None where it was refused.

        Args:
            label: What is tried, for the faults.
            work: The work.
            most_bytes: What memory may grow by, or None for anything.
        """
        before, began, result = _reset_peak(), time.process_time(), None
        try:
            with heard_by(lambda _: None), _watched():
                result = work()
            self.counts["accepted"] += 1
        except ImagicError:
            self.counts["refused"] += 1
        except Exception as error:  # noqa: BLE001  whatever is not ours is what is looked for
            self.fault(f"{label}: {type(error).__name__}: {str(error)[:100]!r}")
        took, grew = time.process_time() - began, _peak() - before
        self.counts["tried"] += 1
        self.slowest, self.largest = max(self.slowest, took), max(self.largest, grew)
        if took > SLOW:
            self.fault(f"{label}: took {took:.0f} s")
        if most_bytes is not None and grew > most_bytes:
            self.fault(f"{label}: took {grew / 1e6:.0f} MB")
        return result

    def judge(self, label: str, *, right: bool) -> None:
        """Count one result that has to be right.

        Args:
            label: What it is the result of.
            right: Whether it is.
        """
        self.counts["tried"] += 1
        self.counts["right" if right else "wrong"] += 1
        if not right:
            self.fault(f"{label}: wrong")

    def fault(self, sentence: str) -> None:
        """Count a fault."""
        self.counts["faults"] += 1
        if sentence in self.faults or len(self.faults) < _SHOWN:
            self.faults[sentence] += 1

    def add(self, other: "Tally") -> None:
        """Take in the outcomes of another block."""
        self.counts += other.counts
        self.faults += other.faults
        self.slowest = max(self.slowest, other.slowest)
        self.largest = max(self.largest, other.largest)

    def values(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "counts": dict(self.counts),
            "faults": dict(self.faults),
            "slowest": round(self.slowest, 2),
            "largest": self.largest,
        }

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Tally":
        """Return the tally in plain values."""
        counts, faults = Counter(values["counts"]), Counter(values["faults"])
        return cls(counts, faults, values["slowest"], values["largest"])


@contextmanager
def _watched() -> Iterator[None]:
    """End a block that hangs."""

    def end(*_: object) -> None:
        raise TimeoutError(f"hangs for {HUNG:.0f} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, HUNG)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _reset_peak() -> int:
    """Begin to measure anew, and return the bytes that this process has now; 0 but on Linux."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM")


def _status(key: str) -> int:
    """Return one figure of this process, in bytes."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024
    return 0
