"""A fit as a job: its losses, a preview now and then, and the adapter once it is saved."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.progress import Progress, StopFit
from imagic_lora.ui.fits import HARDLY
from imagic_lora.ui.jobs.queue import Job
from imagic_lora.ui.library import Library
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
        file: A copy of its file, to download.
        words: What was done, once it is saved.
        hardly: Whether it was stopped before it had learned much.
    """

    progress: Progress | None = None
    losses: tuple[float, ...] = ()
    preview: Image.Image | None = None
    name: str = ""
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
        The adapter, which is saved.
    """
    state, drawn = FitState(), 0.0

    def show(progress: Progress) -> None:
        nonlocal state, drawn
        preview = state.preview
        if progress.preview and time.monotonic() - drawn > _PREVIEW_SECONDS:
            preview, drawn = progress.preview() or preview, time.monotonic()
        losses = state.losses if progress.loss is None else (*state.losses, progress.loss)
        state = FitState(progress, losses, preview)
        post(state)
        if job.stopping:
            raise StopFit

    adapter = fit(on_progress=show)
    name = session.adapter = library.keep(adapter, wish)
    file = library.copy(name, session.folder)
    hardly = job.stopping and (adapter.record.gap is None or adapter.record.gap > HARDLY)
    words = _words(adapter, job.stopping, hardly)
    post(replace(state, name=name, file=file, words=words, hardly=hardly))
    return adapter


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
