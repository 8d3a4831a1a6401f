"""`imagic-lora run`: a file of jobs to a folder of pictures."""

import json as encoding
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imagic_lora.cli.flags import command, flag, path, place, settings_flags, switch
from imagic_lora.cli.model import STABLE_DIFFUSION, BaseModel, base_model
from imagic_lora.cli.terminal import Terminal, progress_text
from imagic_lora.errors import InputError, JobsError
from imagic_lora.settings import WorkerSettings
from imagic_lora.units import seconds_text

if TYPE_CHECKING:
    from imagic_lora.runs.events import Event, Landed, Outcome, Ready
    from imagic_lora.runs.jobs import Jobs

FAILED = 1
"""Exit code where some rows failed, and the others are done."""


def _columns(words: str) -> dict[str, str]:
    """Return what columns are called, by their names here."""
    pairs = [word.partition("=") for word in words.split(",")]
    if not all(our.strip() and theirs.strip() for our, _, theirs in pairs):
        raise InputError(f"the value was {words!r}, allowed is e.g. image=img_name,target=text.")
    return {our.strip(): theirs.strip() for our, _, theirs in pairs}


def _shard(words: str) -> str:
    """Return a part of the run that there is."""
    from imagic_lora.runs.jobs import Shard

    Shard.of(words)
    return words


@command("run", "make every picture that a file of jobs asks for, or those still missing")
@place("jobs", "FILE", "a row for each edit: JSON Lines, a JSON list, or CSV (.csv)")
@flag(
    "-o",
    "--out",
    read=path,
    metavar="DIR",
    help="folder for adapters, pictures and what is to be known of them; with --check it may be "
    "left out",
)
@switch("--check", "check the file and every picture in it, and do nothing")
@flag(
    "--columns",
    read=_columns,
    default={},
    metavar="NAME=COLUMN,...",
    help="what columns are called in the file, e.g. image=img_name,target=target_text",
)
@flag(
    "--root",
    read=path,
    metavar="DIR",
    help="folder that paths of pictures start from (default: that of the file)",
)
@flag(
    "--shard",
    read=_shard,
    default="",
    metavar="I/N",
    help="do one of N equal parts, I from 0 to N-1, for a scheduler that starts a process for each",
)
@switch("--force", "make pictures anew that were made for something else than is asked now")
@switch("--json", "write what happens as JSON Lines, for programs")
@base_model(STABLE_DIFFUSION)
@settings_flags(WorkerSettings, "Several GPUs, by Ray")
@click.pass_obj
def run(
    terminal: Terminal,
    *,
    jobs: Path,
    out: Path | None,
    check: bool,
    columns: dict[str, str],
    root: Path | None,
    shard: str,
    force: bool,
    json: bool,
    base: BaseModel,
    settings: WorkerSettings,
) -> None:
    """Do what is left of a file of jobs."""
    from imagic_lora.runs.jobs import read_jobs

    if out is None and not check:
        raise click.UsageError("a value is required: -o/--out", click.get_current_context())
    try:
        found = read_jobs(jobs, columns=columns, root=root)
        if check or out is None:
            terminal.tell(_counts(found))
            return
        from imagic_lora.runs.run import run  # a check needs none of what this loads

        report = run(
            found,
            out,
            base.model,
            shard=shard,
            force=force,
            workers=settings,
            on_event=_Events(terminal) if json else _View(terminal, base.model),
            **base.loading(),
        )
    except JobsError as error:
        for problem in error.problems:
            terminal.say(problem)
        count = str(error).partition(":")[0]
        raise InputError(f"{count} are named above; nothing was done.") from error
    if json:
        terminal.tell(encoding.dumps({"event": "ended", **report.summary()}))
    else:
        terminal.tell(f"{report.explain()}\nAll of it is in {out}.")
    if not report.complete:
        raise click.exceptions.Exit(FAILED)


def _counts(jobs: "Jobs") -> str:
    """Return in words what a file of jobs comes to."""
    pictures = len({row.image.place for row in jobs.rows})
    return f"{len(jobs.rows)} rows of {pictures} pictures can be done, with {len(jobs.grouped())} fits."


class _Events:
    """Writes events as lines of JSON.

    Args:
        terminal: Where to.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def __call__(self, event: "Event") -> None:
        """Write an event."""
        from imagic_lora.runs.events import values

        self._terminal.tell(encoding.dumps(values(event), ensure_ascii=False))


class _View:
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
