"""A stand-in for Ray: its names that a crew uses, with actors in this process and no clock.

What it stands for was seen with Ray 2.60; `python -m benchmarks.runs` runs Ray itself.
"""

from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any


class _RayError(Exception):
    """Base of what Ray raises."""


class _TaskError(_RayError):
    """What was called raised: the error is its cause."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class LostError(_RayError):
    """The process of an actor is gone, or out of reach."""

    def __init__(self, *, preempted: bool = False) -> None:
        super().__init__("gone")
        self.preempted = preempted


class _Generator:
    """The values that a method yields, each as something to get."""

    def __init__(self, values: Iterator[Any]) -> None:
        self._values = values

    def __next__(self) -> Callable[[], Any]:
        try:
            value = next(self._values)
        except StopIteration:
            raise
        except Exception as error:  # noqa: BLE001  it is raised where it is got
            return _raising(_TaskError(error))
        return lambda: value


class _Method:
    """A method of an actor."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self._method = method

    def remote(self, *arguments: Any) -> Any:
        """Call it; what it gives is got later."""
        try:
            found = self._method(*arguments)
        except Exception as error:  # noqa: BLE001  it is raised where it is got
            return _raising(_TaskError(error))
        return _Generator(found) if hasattr(found, "__next__") else lambda: found


class StandIn:
    """The package.

    Args:
        losses: What is raised in place of the n-th value that is got, from 1.

    Attributes:
        options: What the actors were asked for with.
        killed: How many actors were ended.
    """

    ObjectRefGenerator = _Generator
    exceptions = SimpleNamespace(RayError=_RayError, RayTaskError=_TaskError)

    def __init__(self, losses: dict[int, LostError] | None = None) -> None:
        self.options: dict[str, Any] = {}
        self.killed = 0
        self._losses, self._got = dict(losses or {}), 0

    def remote(self, **options: Any) -> Callable[[type], Any]:
        """Return what makes a class one of actors."""
        self.options = options

        def made(kind: type, *arguments: Any) -> Any:
            actor = kind(*arguments)
            methods = {name: _Method(getattr(actor, name)) for name in ("ready", "do")}
            return SimpleNamespace(**methods)

        return lambda kind: SimpleNamespace(remote=lambda *given: made(kind, *given))

    def wait(self, refs: Sequence[Any], timeout: float) -> tuple[list[Any], list[Any]]:
        """Return what can be got: the first, so that all get their turn."""
        assert timeout > 0
        return [refs[0]], list(refs[1:])

    def get(self, ref: Callable[[], Any]) -> Any:
        """Return a value, or raise what befalls its actor."""
        self._got += 1
        if self._got in self._losses:
            raise self._losses[self._got]
        return ref()

    def kill(self, actor: object) -> None:
        """End an actor, which Ray refuses where it is gone already."""
        assert actor is not None
        self.killed += 1
        raise _RayError("gone already")


def _raising(error: Exception) -> Callable[[], Any]:
    """Return what raises when it is got."""

    def fail() -> Any:
        raise error

    return fail
