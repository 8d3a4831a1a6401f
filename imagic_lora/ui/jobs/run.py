"""One press of the button as a job: a fit where there is none of the picture yet, then the edits."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.editing.picture import Edit, Variation
from imagic_lora.editor import ImagicEditor
from imagic_lora.errors import OutputError, heard_by, warn
from imagic_lora.images.canvas import Frame
from imagic_lora.progress import Progress
from imagic_lora.settings import FitSettings
from imagic_lora.ui.history import History
from imagic_lora.ui.jobs.compare import plain
from imagic_lora.ui.jobs.course import NOWHERE, Ahead, Course
from imagic_lora.ui.jobs.edit import Sweep, SweepState, make_sweep
from imagic_lora.ui.jobs.fit import FitState, make_adapter
from imagic_lora.ui.jobs.pictures import PictureFolder, SavedPicture
from imagic_lora.ui.jobs.queue import Job
from imagic_lora.ui.library import Library
from imagic_lora.ui.sessions import Session

_QUICK_STEPS = 15
"""Most denoising steps of a quick try: it is to be there at once."""


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """A fit that is needed before anything can be edited.

    Attributes:
        fit: The fit, which lacks nothing but a callback.
        settings: How it is fitted.
        wish: What the adapter should be called like.
        caption: What the picture shows, or "" where it is not said.
        canvas: The part of the picture that is fitted, at its size.
    """

    fit: Callable[..., Adapter]
    settings: FitSettings
    wish: str
    caption: str
    canvas: Image.Image


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
class Seen:
    """A picture as the model's autoencoder gives it back.

    Attributes:
        path: Where it is.
        decibels: How near it is to the picture itself, in dB.
    """

    path: Path
    decibels: float


@dataclass(frozen=True)
class RunState:
    """How far a run is.

    Attributes:
        ahead: What is behind, and what is ahead.
        seen: The picture as the model can show it, where that is another picture, or None.
        trying: The last step of the quick try, or None.
        quick: Pictures made without a fit, to look at while it is fitted: plain img2img, then an
            edit by the product's own rule.
        fit: How far its fit is, or None where it has none.
        sweep: How far its edits are, or None before the first.
    """

    ahead: Ahead = NOWHERE
    seen: Seen | None = None
    trying: Progress | None = None
    quick: tuple[SavedPicture, ...] = ()
    fit: FitState | None = None
    sweep: SweepState | None = None


def make_run(
    editor: ImagicEditor,
    run: Run,
    library: Library,
    history: History,
    session: Session,
    job: Job,
) -> None:
    """Fit where that is needed, then make the pictures; a stop keeps what there is.

    Args:
        editor: What does the work.
        run: What to do.
        library: Where an adapter goes.
        history: Where the run goes once it is over.
        session: Whose run it is.
        job: What tells how far the work is.
    """
    course, state, folder = _course(run), RunState(), PictureFolder(session.folder)

    def fitting(fit: FitState) -> None:
        nonlocal state
        ahead = course.fitting(fit.progress) if fit.progress else NOWHERE
        state = replace(state, ahead=ahead, fit=fit)
        job.post(state, ahead.share)

    def editing(sweep: SweepState) -> None:
        nonlocal state
        ahead = course.editing(sweep.progress, sweep.fresh)
        state = replace(state, ahead=ahead, sweep=sweep)
        job.post(state, ahead.share)

    adapter = run.start
    if isinstance(adapter, Fitting):
        state = RunState(seen=_seen(editor, adapter, folder))
        job.post(state)
        for tried in _quick(editor, adapter, run.sweep, job):
            saved = folder.save(tried, f"quick try {len(state.quick) + 1}", tried.target)
            state = replace(state, quick=(*state.quick, saved))
            job.post(state)
        adapter = make_adapter(adapter.fit, library, session, adapter.wish, job, fitting)
    job.check()
    try:
        make_sweep(editor, adapter, run.sweep, folder, job, editing)
    finally:
        if state.sweep is not None and state.sweep.fresh and state.sweep.files:
            _remember(history, adapter, state.sweep)


def _seen(editor: ImagicEditor, fitting: Fitting, folder: PictureFolder) -> Seen | None:
    """Return the picture as the model can show it, or None where that is the picture itself."""
    size = fitting.canvas.size
    trip = editor.round_trip(fitting.canvas, frame=Frame.of(size, size))
    return Seen(folder.save_seen(trip.image), trip.decibels) if trip.is_poor else None


def _quick(
    editor: ImagicEditor, fitting: Fitting, sweep: Sweep, job: Job
) -> Iterator[Variation | Edit]:
    """Yield what needs no fit, in few steps: plain img2img, and an edit where nothing was learned."""

    def show(progress: Progress) -> None:
        job.check()
        job.post(replace(job.state, trying=progress))

    width, height = fitting.canvas.size
    steps = min(sweep.settings.steps, _QUICK_STEPS)
    settings = replace(plain(sweep.settings), steps=steps, width=width, height=height)
    yield editor.img2img(fitting.canvas, sweep.target, settings=settings, on_progress=show)
    still = replace(
        fitting.settings, steps=1, batch=1, rank=1, embedding_lr=0, lora_lr=0, outweigh=0
    )
    with heard_by(lambda _: None):  # whatever is to be remarked, the fit remarks
        nothing = fitting.fit(source=fitting.caption, settings=still, on_progress=show)
        yield editor.edit(
            nothing,
            target=sweep.target,
            mask=sweep.mask,
            settings=replace(sweep.settings, steps=steps),
            on_progress=show,
        )


def _remember(history: History, adapter: Adapter, sweep: SweepState) -> None:
    """Keep the pictures of a run; that they cannot be kept takes nothing from who made them."""
    try:
        history.keep(adapter.record.image_sha256 or adapter.sha256, sweep)
    except OutputError as error:
        warn(f"This run is not kept in the history: {error}")


def _course(run: Run) -> Course:
    """Return what turns a run's steps into one course."""
    fit = run.start.settings if isinstance(run.start, Fitting) else None
    return Course(
        fit_steps=fit.steps if fit else 0,
        batch=fit.batch if fit else 0,
        pictures=len(run.sweep),
        steps=run.sweep.settings.steps,
    )
