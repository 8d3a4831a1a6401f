"""A fit as a job: its losses, a preview now and then, and the adapter once it is saved."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.errors import OutputError
from imagic_lora.progress import Progress, StopFit
from imagic_lora.ui.fits import HARDLY
from imagic_lora.ui.jobs.queue import Job
from imagic_lora.ui.library import SUFFIX, Library, plain_name
from imagic_lora.ui.sessions import Session

_PREVIEW_SECONDS = 3
"""Time between two previews; each takes about as long as one step."""


@dataclass(frozen=True)
class FitState:
    """How far a fit is.

    Attributes:
        progress: Its last step.
        losses: The losses of all steps.
        preview: The picture as it was last drawn, or None.
        name: The adapter's name, once it is saved.
        unsaved: Why it could not be saved in the library, and where it is instead, or "".
        file: A copy of its file, to download, or None.
        words: What was done, once it is over.
        hardly: Whether it was stopped before it had learned much.
    """

    progress: Progress | None = None
    losses: tuple[float, ...] = ()
    preview: Image.Image | None = None
    name: str = ""
    unsaved: str = ""
    file: Path | None = None
    words: str = ""
    hardly: bool = False


def make_adapter(
    fit: Callable[..., Adapter],
    library: Library,
    session: Session,
    wish: str,
    job: Job,
    post: Callable[[FitState], None],
) -> Adapter:
    """Fit, draw what is learned now and then, and save it; a stop keeps what there is.

    Args:
        fit: The fit, which lacks nothing but a callback.
        library: Where the adapter goes.
        session: Whose fit it is; the adapter is chosen there.
        wish: What the adapter should be called like.
        job: What says whether to stop.
        post: Told how far the fit is.

    Returns:
        The adapter, which is saved, or kept by the session where it could not be.
    """
    state, drawn = FitState(), 0.0

    def show(progress: Progress) -> None:
        nonlocal state, drawn
        preview = state.preview
        if progress.preview and time.monotonic() - drawn > _PREVIEW_SECONDS:
            preview, drawn = progress.preview() or preview, time.monotonic()
        losses = state.losses if progress.loss is None else (*state.losses, progress.loss)
        state = FitState(replace(progress, preview=None), losses, preview)  # it holds the model
        post(state)
        if job.stopping:
            raise StopFit

    adapter = fit(on_progress=show)
    hardly = job.stopping and (adapter.record.gap is None or adapter.record.gap > HARDLY)
    state = replace(state, words=_words(adapter, job.stopping, hardly), hardly=hardly)
    post(_kept(adapter, library, session, wish, state))
    return adapter


def _kept(
    adapter: Adapter, library: Library, session: Session, wish: str, state: FitState
) -> FitState:
    """Save what was fitted; where the library cannot take it, let the session keep it."""
    try:
        name = library.keep(adapter, wish)
    except OutputError as error:
        session.unsaved = adapter
        return replace(state, unsaved=str(error), file=_copy(adapter, session, plain_name(wish)))
    session.adapter, session.unsaved = name, None
    return replace(state, name=name, file=_copy(adapter, session, name))


def _copy(adapter: Adapter, session: Session, name: str) -> Path | None:
    """Write a copy to download, and return where it is, or None where there is no room for it."""
    path = session.folder / f"{name}{SUFFIX}"
    try:
        adapter.save(path, force=True)
    except OutputError:
        return None
    return path


def _words(adapter: Adapter, stopped: bool, hardly: bool) -> str:  # noqa: FBT001
    """Return what a fit came to."""
    steps = len(adapter.record.losses)
    count = f"{steps} step{'s' if steps > 1 else ''}"
    done = f"Stopped after {count}" if stopped else f"Fitted in {count}"
    if hardly:
        return f"{done}; hardly anything was learned."
    if adapter.record.gap is None:
        return f"{done}."
    return f"{done}; the loss is {adapter.record.gap:.0%} of what it was before."
