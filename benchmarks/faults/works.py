"""Work that is disturbed: by threads, by errors anywhere, by memory that runs out, by switching."""

import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from itertools import count
from random import Random
from types import FrameType
from typing import Any

import psutil
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.faults.stage import QUICK, Stage, fingerprint, predicted
from benchmarks.faults.tally import Tally
from imagic_lora.errors import ImagicError, heard_by
from imagic_lora.memory import MemoryPlan

_PACKAGE = f"{os.sep}imagic_lora{os.sep}"

_GROWTH = 20_000_000
"""Bytes that a block of switches may leave behind."""

ERRORS = (KeyboardInterrupt, RuntimeError, ValueError, OSError, SystemExit)
"""What is raised in the middle of work, none of which is ours; a MemoryError is answered with a
lever, which is what `shortages` looks at."""


class Failing(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Lets the operations of a block fail, counted from 0, from one number to another.

    Args:
        error: What is raised.
        first: The first operation that fails.
        last: The last one.

    Attributes:
        count: Operations so far.
    """

    def __init__(self, error: type[BaseException], first: float, last: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._error, self._first, self._last = error, first, last
        self.count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run an operation, or fail."""
        number, self.count = self.count, self.count + 1
        if self._first <= number <= self._last:
            raise self._error
        return func(*args, **(kwargs or {}))


class Noting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes which operations come of which lines of the package, each with all that called it.

    Attributes:
        places: Numbers of the operations, counted from 0, by the lines that they come of.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.places: dict[tuple[str, ...], list[int]] = defaultdict(list)
        self._count = count()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run an operation, and note where it came from."""
        self.places[_lines(sys._getframe(1))].append(next(self._count))  # noqa: SLF001
        return func(*args, **(kwargs or {}))


def _lines(frame: FrameType | None) -> tuple[str, ...]:
    """Return the lines of the package that are being carried out, the innermost first."""
    found = []
    while frame is not None:
        if _PACKAGE in frame.f_code.co_filename:
            found.append(f"{frame.f_code.co_filename}:{frame.f_lineno}")
        frame = frame.f_back
    return tuple(found)


NEVER = float("inf")


@cache
def operations(stage: Stage, name: str) -> int:
    """Return how many operations a kind of work consists of."""
    with Failing(RuntimeError, NEVER, NEVER) as counter, heard_by(lambda _: None):
        stage.works[name](stage.editor)
    found: int = counter.count
    return found


@cache
def places(stage: Stage) -> tuple[tuple[str, int, bool], ...]:
    """Return where memory is to run out: kinds of work, operations, and whether it stays so.

    Each line that operations come of, with each way that leads to it, is in it twice: the first of
    the operations fails, and any of them with all that follow.
    """
    random, found, known = Random(0), [], set[tuple[str, ...]]()
    for name, work in stage.works.items():
        with Noting() as noted, heard_by(lambda _: None):
            work(stage.fresh())
        for lines in [each for each in noted.places if each not in known]:
            numbers = noted.places[lines]
            found += [(name, numbers[0], False), (name, random.choice(numbers), True)]
        known |= noted.places.keys()
    found.sort()
    random.shuffle(found)
    return tuple(found)


def threads(stage: Stage, seed: int, count: int) -> Tally:
    """Do pieces of work at the same time, and compare each with what comes of it alone."""
    random, tally = Random(seed), Tally()
    base, names = fingerprint(stage.editor), list(stage.works)
    fresh = stage.fresh()
    alone: dict[str, bytes] = {}
    for start in range(0, count, 4):
        chosen = random.choices(names, k=min(4, count - start))
        with ThreadPoolExecutor(len(chosen)) as pool:
            found = list(pool.map(lambda name: stage.works[name](stage.editor), chosen))
        for name, result in zip(chosen, found, strict=True):
            if name not in alone:
                alone[name] = stage.works[name](fresh)
            tally.judge(f"{name} among {sorted(chosen)}", right=result == alone[name])
    if fingerprint(stage.editor) != base:
        tally.fault(f"threads {seed}: the base model is another")
    return tally


def errors(stage: Stage, seed: int, count: int) -> Tally:
    """Raise errors of all kinds at random operations: the base stays, and so does the next edit."""
    random, tally, editor = Random(seed), Tally(), stage.editor
    base, edit = fingerprint(editor), stage.works["edit"](editor)
    names = [name for name in stage.works if operations(stage, name)]
    for number in range(count):
        name, error = random.choice(names), random.choice(ERRORS)
        at = random.randrange(operations(stage, name))
        with _raising(error, at, at):
            stage.works[name](editor)
        same = fingerprint(editor) == base and stage.works["edit"](editor) == edit
        tally.judge(f"{error.__name__} {seed}/{number} in {name} at {at}", right=same)
    return tally


def shortages(stage: Stage, seed: int, count: int) -> Tally:
    """Let memory run out at every place of every kind of work, once or from there on.

    What comes of it is the work's own result, or a DeviceError; the base predicts what it did, and
    the next edit is what it would be with the levers that the plan names by then.
    """
    tally, known, before = Tally(), places(stage), predicted(stage.editor)
    for number in range(seed * count, (seed + 1) * count):
        name, at, lasts = known[number % len(known)]
        editor, label = stage.fresh(), f"shortage in {name} at {at}{' and after' if lasts else ''}"
        with Failing(torch.OutOfMemoryError, at, NEVER if lasts else at):
            tally.attempt(label, partial(stage.works[name], editor))
        if predicted(editor) != before:
            tally.fault(f"{label}: the base predicts something else")
        if stage.works["edit"](editor) != _edited(stage, editor.plan):
            tally.fault(f"{label}: the next edit is another")
    return tally


@cache
def _edited(stage: Stage, plan: MemoryPlan) -> bytes:
    """Return what an edit is under a plan; tiles of so small a model are all seams."""
    editor = stage.fresh()
    editor.model.replan(plan)
    return stage.works["edit"](editor)


def switches(stage: Stage, seed: int, count: int) -> Tally:
    """Switch between adapters: the same pictures every time, and no memory that stays behind."""
    random, tally, editor = Random(seed), Tally(), stage.editor
    adapters = [stage.adapter, stage.other]
    base = fingerprint(editor)
    alone = [editor.edit(each, settings=QUICK).image.tobytes() for each in adapters]
    before = psutil.Process().memory_info().rss
    for number in range(count):
        which = random.randrange(len(adapters))
        made = editor.edit(adapters[which], settings=QUICK).image.tobytes()
        tally.judge(f"switch {seed}/{number}", right=made == alone[which])
    if psutil.Process().memory_info().rss - before > _GROWTH:
        tally.fault(f"switches {seed}: memory grew by more than {_GROWTH} bytes")
    if fingerprint(editor) != base:
        tally.fault(f"switches {seed}: the base model is another")
    return tally


@contextmanager
def _raising(error: type[BaseException], first: int, last: int) -> Iterator[None]:
    """Let operations of a block raise an error, and take what comes out of the block."""
    try:
        with Failing(error, first, last), heard_by(lambda _: None):
            yield
    except (error, ImagicError):
        pass
