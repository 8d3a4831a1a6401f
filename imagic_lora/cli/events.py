"""What commands that run many rows share: their events shown, bad rows named, and their parts."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from imagic_lora.cli.flags import flag
from imagic_lora.cli.terminal import Terminal, progress_text
from imagic_lora.errors import InputError, JobsError
from imagic_lora.units import seconds_text

if TYPE_CHECKING:
    from imagic_lora.runs.events import Event, Landed, Outcome, Ready


FAILED = 1
"""Exit code where some rows failed, and the others are done."""


def _shard(words: str) -> str:
    """Return a part of the run that there is."""
    from imagic_lora.runs.jobs import Shard

    Shard.of(words)
    return words


shard_flag = flag(
    "--shard",
    read=_shard,
    default="",
    metavar="I/N",
    help="do one of N equal parts, I from 0 to N-1, for a scheduler that starts a process for each",
)
"""Declares which part of a run is done."""


@contextmanager
def naming_problems(terminal: Terminal) -> Iterator[None]:
    """Write a line for each row that a block refuses, then one sentence.

    Args:
        terminal: Where to.

    Raises:
        InputError: When there are such rows.
    """
    try:
        yield
    except JobsError as error:
        for problem in error.problems:
            terminal.say(problem)
        count = str(error).partition(":")[0]
        raise InputError(f"{count} are named above; nothing was done.") from error


class Events:
    """Writes events as lines of JSON.

    Args:
        terminal: Where to.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def __call__(self, event: "Event") -> None:
        """Write an event."""
        from imagic_lora.runs.events import values

        self._terminal.tell(json.dumps(values(event), ensure_ascii=False))


class View:
    """Shows events to people: a line for each row that has ended, and the step at hand.

    Args:
        terminal: Where to.
        model: What the model is called.
    """

    def __init__(self, terminal: Terminal, model: str) -> None:
        self._terminal, self._model = terminal, model

    def __call__(self, event: "Event") -> None:
        """Show an event."""
        from imagic_lora.runs.events import Begun, Landed, Ready, Step

        if isinstance(event, Step):
            self._terminal.passing(f"{event.what}: {progress_text(event.progress)}")
        elif isinstance(event, Landed):
            self._terminal.say(_landed(event))
        elif isinstance(event, Begun):
            left = event.rows - event.done
            done = f", {event.done} are done" if event.done else ""
            self._terminal.say(f"{left} rows to do, with {event.fits} fits{done}")
            if left:
                self._terminal.say(f"loading {self._model}")
        elif isinstance(event, Ready):
            self._terminal.say(_working(event))


def _working(event: "Ready") -> str:
    """Return who works on what; of a worker, what is needed to look at it or to end it."""
    from imagic_lora.runs.events import HERE

    if event.worker == HERE:
        return f"working on {event.device}"
    return f"{event.worker} works on {event.device}, as process {event.process} of {event.host}"


def _landed(event: "Landed") -> str:
    """Return how a row ended and how far the run is, e.g. "37/700 00123 ok, 12 s; 5 min left"."""
    from imagic_lora.runs.events import HERE

    worker = event.outcome.worker
    by = f" by {worker}" if worker not in ("", HERE) else ""
    facts = [f"{event.ended}/{event.rows} {event.outcome.id} {_ending(event.outcome)}{by}"]
    if event.failed:
        facts.append(f"{event.failed} failed")
    if event.seconds_left is not None:
        facts.append(f"{seconds_text(event.seconds_left)} left")
    return "; ".join(facts)


def _ending(outcome: "Outcome") -> str:
    """Return how a row ended: what it took, or why it failed."""
    if outcome.status != "ok":
        return f"{outcome.status}: {outcome.brief}"
    doubt = f", {len(outcome.warnings)} warnings in the manifest" if outcome.warnings else ""
    return f"ok, {seconds_text(outcome.seconds or 0)}{doubt}"
