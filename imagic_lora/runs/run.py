"""The loop of a run: what is left to do, who does it, and what is kept of how it went.

The files are the truth. A row is done when its picture says of itself what the row asks, so the same
command goes on after whatever stopped it. Knows nothing of how jobs reach workers: that is an
engine's.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from imagic_lora.editor import ImagicEditor
from imagic_lora.errors import ImagicError, InputError, ModelError, OutputError, quoted, warn
from imagic_lora.models.repository import REPOSITORIES
from imagic_lora.runs.asked import Made, standing
from imagic_lora.runs.cluster import Cluster
from imagic_lora.runs.events import (
    HERE,
    Begun,
    Landed,
    OnEvent,
    Outcome,
    Ready,
    WorkEvent,
    ignore,
)
from imagic_lora.runs.folder import Folder
from imagic_lora.runs.jobs import Job, Jobs, Shard, read_jobs
from imagic_lora.runs.pages import draw
from imagic_lora.runs.report import RunReport
from imagic_lora.runs.work import Worker
from imagic_lora.settings import WorkerSettings

_MEANING: dict[str, Any] = {"prediction": "auto", "clip_skip": 0}
"""What makes another model of the same files, and what it is where nothing is said."""


class Engine(Protocol):
    """What brings jobs to workers."""

    def __call__(self, jobs: Sequence[Job], tell: Callable[[WorkEvent], None]) -> None:
        """Have jobs done.

        Args:
            jobs: The jobs; each row of each ends as one outcome.
            tell: Takes what happens, in the thread that called.
        """


@dataclass(frozen=True)
class Alone:
    """The engine of one process and one device.

    Attributes:
        load: Returns the editor.
        out: The folder of the run.
        model: Name of the model, as it was asked for.
    """

    load: Callable[[], ImagicEditor]
    out: Path
    model: str

    def __call__(self, jobs: Sequence[Job], tell: Callable[[WorkEvent], None]) -> None:
        """Do one job after another."""
        worker = Worker(self.load(), self.out, self.model, HERE, tell)
        tell(worker.ready())
        for job in jobs:
            worker.do(job)


def run(
    jobs: Jobs | str | Path | Sequence[Mapping[str, Any]],
    out: str | Path,
    model: ImagicEditor | str | Path,
    *,
    shard: str = "",
    force: bool = False,
    workers: WorkerSettings = WorkerSettings(),
    on_event: OnEvent = ignore,
    **loading: Any,
) -> RunReport:
    """Make all pictures that a file of jobs asks for, or those that are still missing.

    Args:
        jobs: What to do: what `read_jobs` gives, or takes.
        out: The folder for adapters, pictures and what is to be known of them.
        model: The base model: an editor, or what `ImagicEditor.from_pretrained` loads.
        shard: Which part of the fits to do, e.g. "3/16" (from 0), where a scheduler starts a
            process for each; "" for all.
        force: Make those pictures anew that were made for something else than is asked now.
        workers: Who does it, where several GPUs do; that needs Ray, and the name of a model.
        on_event: Called with what happens: a `Begun`, then `Ready`, `Step`, `Fitted` and `Landed`.
        loading: What `from_pretrained` takes besides, e.g. `memory="8GB"`.

    Returns:
        How every row ended; one that failed stops no other.

    Raises:
        JobsError: When rows cannot be done, or pictures were made for something else.
        InputError: When several workers are to share an editor.
        MissingExtraError: When several workers are asked for, and Ray is not installed.
        OutputError: When the folder cannot be written to. Where that is so later on, e.g. because the
            disk is full, the rows that are left end as errors.
        ModelError: When the model cannot be loaded, or is not the one that pictures were made by.
    """
    part = Shard.of(shard)
    mine = (jobs if isinstance(jobs, Jobs) else read_jobs(jobs)).part(part)
    name, folder = model_name(model, loading), Folder(Path(out), part)
    folder.check(force=force)
    made = standing(mine, folder.path, name, force=force)
    how = (_loader(model, loading), folder.path, name)
    if workers.alone:
        engine: Engine = Alone(*how)
    elif isinstance(model, ImagicEditor):
        raise InputError("workers cannot share an editor; give the model as a name or a path.")
    else:
        engine = Cluster(*how, workers)
    return _Run(mine, folder, name, made, on_event).go(engine)


def model_name(model: ImagicEditor | str | Path, loading: Mapping[str, Any]) -> str:
    """Return what a run calls its model, wherever on a machine it lies.

    Args:
        model: An editor, or what `from_pretrained` loads.
        loading: What that takes besides.
    """
    if isinstance(model, ImagicEditor):
        return model.model.traits.name
    found = Path(model).resolve().name if Path(model).exists() else str(model)
    stated = _MEANING | dict(loading)
    told = [f"{each} {stated[each]}" for each in _MEANING if stated[each] != _MEANING[each]]
    return ", ".join([REPOSITORIES.get(found, found), *told])


def _loader(
    model: ImagicEditor | str | Path, loading: Mapping[str, Any]
) -> Callable[[], ImagicEditor]:
    """Return what loads a model, once there is something to do."""
    if isinstance(model, ImagicEditor):
        return lambda: model
    return partial(ImagicEditor.from_pretrained, model, **loading)


class _Run:
    """One run, from what is done already to the last row.

    Args:
        jobs: What is to be done.
        folder: Where.
        model: Name of the model, as it was asked for.
        made: What the pictures say that are there, by the ids of all rows of this part.
        on_event: Takes what happens.
    """

    def __init__(
        self,
        jobs: Jobs,
        folder: Folder,
        model: str,
        made: Mapping[str, Made | None],
        on_event: OnEvent,
    ) -> None:
        self._jobs, self._folder, self._model = jobs, folder, model
        self._on_event = on_event
        self._made = made
        self._pending = [
            replace(job, rows=rows)
            for job in jobs.grouped()
            if (rows := tuple(row for row in job.rows if made[row.id] is None))
        ]
        self._left = Counter({job.key: len(job.rows) for job in self._pending})
        self._key = {row.id: row.fit_key for row in jobs.rows}
        self._outcomes = self._known()
        self._fresh: set[str] = set()
        self._workers: list[Ready] = []
        self._began = self._working = time.monotonic()

    def go(self, engine: Engine) -> RunReport:
        """Have done what is left."""
        self._describe()
        self._folder.list(self._outcomes.values())
        fits = len(self._pending)
        self._on_event(Begun(rows=len(self._made), done=len(self._outcomes), fits=fits))
        try:
            if self._pending:
                engine(self._pending, self._hear)
        except KeyboardInterrupt:
            self._close(sheets=False)
            raise
        except OutputError as error:
            self._give_up(error)
        return self._close()

    def _give_up(self, error: OutputError) -> None:
        """Let all rows fail that have not ended: none would fare better than what was not written."""
        for row in self._jobs.rows:
            told: dict[str, Any] = {
                "message": str(error),
                "tries": 0,
                "adapter": row.adapter,
                "notes": row.notes,
            }
            self._outcomes.setdefault(row.id, Outcome(id=row.id, status="error", **told))

    def _known(self) -> dict[str, Outcome]:
        """Return how the rows ended that are done: as the manifest has it, or their pictures."""
        before = self._folder.outcomes()
        found: dict[str, Outcome] = {}
        for row in self._jobs.rows:
            made = self._made[row.id]
            if made is not None:
                told = before.get(row.id)
                listed = told is not None and told.status == "ok"
                found[row.id] = told if told and listed else made.outcome(row)
        return found

    def _hear(self, event: WorkEvent) -> None:
        """Take what a worker tells."""
        if isinstance(event, Outcome):
            self._land(event)
            return
        if isinstance(event, Ready):
            self._meet(event)
        self._on_event(event)

    def _meet(self, ready: Ready) -> None:
        """Take on a worker, or raise if its model is not the one that pictures were made by."""
        others = {made.fingerprint for made in self._made.values() if made is not None}
        others |= {worker.fingerprint for worker in self._workers}
        if others - {ready.fingerprint}:
            raise ModelError(
                f"{quoted(ready.base_model)} has other weights than the model of that name by which "
                f"pictures in {self._folder.path} were made; choose another folder."
            )
        if not self._workers:
            self._working = time.monotonic()
        self._workers.append(ready)
        self._describe()

    def _land(self, outcome: Outcome) -> None:
        """Keep how a row ended, and tell how far the run is."""
        self._outcomes[outcome.id] = outcome
        self._fresh.add(outcome.id)
        self._left[self._key[outcome.id]] -= 1
        failed = sum(each.status != "ok" for each in self._outcomes.values())
        landed = Landed(
            outcome=outcome,
            ended=len(self._outcomes),
            rows=len(self._made),
            failed=failed,
            seconds_left=self._seconds_left(),
        )
        try:
            self._folder.add(outcome)
        finally:
            self._on_event(landed)

    def _seconds_left(self) -> float | None:
        """Return what the rest takes at the rate of the fits that are done with all their edits."""
        left = sum(count > 0 for count in self._left.values())
        done = len(self._left) - left
        return (time.monotonic() - self._working) / done * left if done else None

    def _describe(self) -> None:
        """Write what the run is about, and by which weights as soon as that is known."""
        values = {
            "jobs": self._jobs.name,
            "rows": len(self._jobs.rows),
            "fits": len(self._jobs.grouped()),
            "model": self._model,
            "fingerprint": self._workers[0].fingerprint if self._workers else None,
            "shard": asdict(self._folder.shard),
            "versions": {each: version(each) for each in ("imagic-lora", "torch", "diffusers")},
        }
        self._folder.describe(values)

    def _close(self, *, sheets: bool = True) -> RunReport:
        """Write the manifest in the order of the rows, the summary and the sheets."""
        report = RunReport(
            outcomes=tuple(self._outcomes[each] for each in self._made if each in self._outcomes),
            rows=len(self._made),
            fresh=frozenset(self._fresh),
            workers=tuple(self._workers),
            seconds=time.monotonic() - self._began,
        )
        try:
            self._folder.list(report.outcomes)
            self._folder.summarise(report.summary())
            if sheets:
                draw(self._folder, self._jobs.rows, report)
        except ImagicError as error:  # of writing, or of reading for the sheets
            warn(f"{error} What was made is there, and the same command lists it when it can.")
        return report
