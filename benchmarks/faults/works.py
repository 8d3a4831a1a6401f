"""Work that is disturbed: by threads, by errors anywhere, by memory that runs out, by switching."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from random import Random
from typing import Any

import psutil
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.faults.stage import QUICK, Stage, fingerprint, predicted
from benchmarks.faults.tally import Tally
from imagic_lora.errors import ImagicError, heard_by

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


NEVER = float("inf")


@cache
def operations(stage: Stage, name: str) -> int:
    """Return how many operations a kind of work consists of."""
    with Failing(RuntimeError, NEVER, NEVER) as counter, heard_by(lambda _: None):
        stage.works[name](stage.editor)
    found: int = counter.count
    return found


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
    for number in range(count):
        name, error = random.choice(list(stage.works)), random.choice(ERRORS)
        at = random.randrange(operations(stage, name))
        with _raising(error, at, at):
            stage.works[name](editor)
        same = fingerprint(editor) == base and stage.works["edit"](editor) == edit
        tally.judge(f"{error.__name__} {seed}/{number} in {name} at {at}", right=same)
    return tally


def shortages(stage: Stage, seed: int, count: int) -> Tally:
    """Let memory run out at operations of every kind of work, once or from there on.

    What comes of it is the work's own result, or a DeviceError; the base predicts what it did.
    """
    random, tally = Random(seed), Tally()
    for number in range(count):
        name, lasts = random.choice(list(stage.works)), random.random() < 0.3
        at = random.randrange(operations(stage, name))
        editor = stage.fresh()
        before = predicted(editor)
        label = f"shortage {seed}/{number} in {name} at {at}{' and after' if lasts else ''}"
        with Failing(torch.OutOfMemoryError, at, NEVER if lasts else at):
            tally.attempt(label, partial(stage.works[name], editor))
        if predicted(editor) != before:
            tally.fault(f"{label}: the base predicts something else")
        tally.attempt(f"{label}, next edit", partial(stage.works["edit"], editor))
    return tally


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
