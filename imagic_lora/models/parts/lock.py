"""A lock that whoever works with a model holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from types import TracebackType

from imagic_lora.errors import InputError


class Lock:
    """A re-entrant lock; a copy of a model, here or in another process, has one of its own."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._training = False

    def __enter__(self) -> None:
        self._lock.acquire()
        if self._training:
            self._lock.release()
            raise InputError(
                "The model is in the middle of a fit, and what is learned is in it; work with it "
                "when the fit has returned, not in the fit's own callback."
            )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()

    @contextmanager
    def training(self) -> Iterator[None]:
        """Hold the lock for a block that changes the model: nothing else may be done in it."""
        with self:
            self._training = True
            try:
                yield
            finally:
                self._training = False

    def __reduce__(self) -> tuple[type["Lock"], tuple[()]]:
        """Return how a copy is made: unlocked."""
        return Lock, ()
