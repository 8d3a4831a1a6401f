"""One press of the button as a job: a fit where there is none of the picture yet, then the edits."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.editor import ImagicEditor
from imagic_lora.settings import FitSettings
from imagic_lora.ui.jobs.course import NOWHERE, Ahead, Course
from imagic_lora.ui.jobs.edit import Sweep, SweepState, make_sweep
from imagic_lora.ui.jobs.fit import FitState, make_adapter
from imagic_lora.ui.jobs.pictures import PictureFolder
from imagic_lora.ui.jobs.queue import Job
from imagic_lora.ui.library import Library
from imagic_lora.ui.sessions import Session


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """A fit that is needed before anything can be edited.

    Attributes:
        fit: The fit, which lacks nothing but a callback.
        settings: How it is fitted.
        wish: What the adapter should be called like.
    """

    fit: Callable[..., Adapter]
    settings: FitSettings
    wish: str


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one press asks for.

    Attributes:
        start: The adapter that is there already, or the fit that makes one.
        sweep: The edits of it.
    """

    start: Adapter | Fitting
    sweep: Sweep


@dataclass(frozen=True)
class RunState:
    """How far a run is.

    Attributes:
        ahead: What is behind, and what is ahead.
        fit: How far its fit is, or None where it has none.
        sweep: How far its edits are, or None before the first.
    """

    ahead: Ahead = NOWHERE
    fit: FitState | None = None
    sweep: SweepState | None = None


def make_run(
    editor: ImagicEditor,
    run: Run,
    library: Library,
    session: Session,
    folder: PictureFolder,
    job: Job,
) -> None:
    """Fit where that is needed, then make the pictures; a stop keeps what there is.

    Args:
        editor: What does the work.
        run: What to do.
        library: Where an adapter goes.
        session: Whose run it is.
        folder: Where the pictures go.
        job: What tells how far the work is.
    """
    course, state = _course(run), RunState()

    def fitting(fit: FitState) -> None:
        nonlocal state
        ahead = course.fitting(fit.progress) if fit.progress else NOWHERE
        state = replace(state, ahead=ahead, fit=fit)
        job.post(state, ahead.share)

    def editing(sweep: SweepState) -> None:
        ahead = course.editing(sweep.progress, len(sweep.made))
        job.post(replace(state, ahead=ahead, sweep=sweep), ahead.share)

    adapter = run.start
    if isinstance(adapter, Fitting):
        adapter = make_adapter(adapter.fit, library, session, adapter.wish, job, fitting)
    job.check()
    make_sweep(editor, adapter, run.sweep, folder, job, editing)


def _course(run: Run) -> Course:
    """Return what turns a run's steps into one course."""
    fit = run.start.settings if isinstance(run.start, Fitting) else None
    return Course(
        fit_steps=fit.steps if fit else 0,
        batch=fit.batch if fit else 0,
        pictures=len(run.sweep),
        steps=run.sweep.settings.steps,
    )
