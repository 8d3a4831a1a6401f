"""What happens in a run, as values that can be sent from one process to another."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from imagic_lora.progress import Progress

HERE = "here"
"""Name of the worker that is the process of the run itself."""

Status = Literal["ok", "error", "died", "timeout"]


@dataclass(frozen=True, kw_only=True)
class Begun:
    """The rows are checked, and work begins.

    Attributes:
        rows: How many there are.
        done: How many of them were done before.
        fits: How many fits the others belong to.
    """

    rows: int
    done: int
    fits: int


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A worker has loaded the model.

    Attributes:
        worker: Its name.
        device: What it works on.
        host: Name of its machine.
        process: Number of its process there.
        base_model: Name of the model.
        fingerprint: Tells checkpoints of a family apart.
    """

    worker: str
    device: str
    host: str
    process: int
    base_model: str
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a fit or an edit.

    Attributes:
        worker: Who made it.
        what: What is being worked on.
        progress: The step.
    """

    worker: str
    what: str
    progress: Progress


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """The adapter of a job is there, and its edits begin.

    Attributes:
        worker: Who works.
        adapter: File of the adapter, in the folder of the run.
        seconds: What the fit took; None where the adapter was there before.
    """

    worker: str
    adapter: str
    seconds: float | None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one row ended: a line of the manifest.

    Attributes:
        id: The row.
        status: "ok"; "error" for what failed, "died" for what killed its worker, "timeout" for what
            was not heard of for too long.
        message: Why it is not "ok".
        tries: How often it was begun; 0 where it was done before this run, or was never begun.
        adapter: File of its adapter, in the folder of the run.
        adapter_sha256: Hash of the adapter.
        picture: File of its picture, likewise.
        picture_sha256: Hash of the picture's file.
        alpha: Prompt strength of the picture.
        fit_seconds: What its fit took; None where the adapter was there.
        fit_forward: Samples that went forward through the denoiser for the fit, and no further.
        fit_forward_backward: Those whose gradient came back.
        seconds: What the edit took.
        forward: Samples that went forward through the denoiser for the edit.
        peak_bytes: Most memory that the worker had used by then.
        levers: Names of the levers that were pulled, lowest first.
        relieved: Those of them that were pulled because memory ran out.
        device: What it was made on.
        worker: Who made it.
        warnings: What was warned of.
        notes: The other columns of the row.
    """

    id: str
    status: Status
    message: str = ""
    tries: int = 1
    adapter: str = ""
    adapter_sha256: str = ""
    picture: str = ""
    picture_sha256: str = ""
    alpha: float | None = None
    fit_seconds: float | None = None
    fit_forward: int | None = None
    fit_forward_backward: int | None = None
    seconds: float | None = None
    forward: int | None = None
    peak_bytes: int | None = None
    levers: tuple[str, ...] = ()
    relieved: tuple[str, ...] = ()
    device: str = ""
    worker: str = ""
    warnings: tuple[str, ...] = ()
    notes: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def brief(self) -> str:
        """Why it is not "ok", in a line: of a traceback, the last."""
        return (self.message.strip().splitlines() or [""])[-1]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Outcome":
        """Return the outcome in the plain values of a line.

        Args:
            values: What `asdict` gives; other fields are passed over.

        Raises:
            TypeError: When it is none.
        """
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})


@dataclass(frozen=True, kw_only=True)
class Landed:
    """A row has ended, and so far is the run.

    Attributes:
        outcome: How it ended.
        ended: How many rows have ended, with those that were done before.
        rows: How many there are.
        failed: How many of them failed.
        seconds_left: What the rest takes at the rate of the fits so far; None before the first.
    """

    outcome: Outcome
    ended: int
    rows: int
    failed: int
    seconds_left: float | None


WorkEvent = Ready | Step | Fitted | Outcome
"""What a worker tells."""

Event = Begun | Ready | Step | Fitted | Landed
"""What a run tells."""

OnEvent = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Take an event and do nothing: the default callback."""


def values(event: Event) -> dict[str, Any]:
    """Return an event as plain values, under its name in lower case.

    Args:
        event: The event.
    """
    found = asdict(event)
    if isinstance(event, Step):
        del found["progress"]["preview"]
    return {"event": type(event).__name__.lower(), **found}
