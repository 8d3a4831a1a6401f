"""A lock that whoever works with a model holds."""

from threading import RLock
from types import TracebackType


class Lock:
    """A re-entrant lock; a copy of a model, here or in another process, has one of its own."""

    def __init__(self) -> None:
        self._lock = RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()

    def __reduce__(self) -> tuple[type["Lock"], tuple[()]]:
        """Return how a copy is made: unlocked."""
        return Lock, ()
