"""A fit as a job: its losses, a preview now and then, and the adapter once it is saved."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.progress import Progress, StopFit
from imagic_lora.ui.jobs.queue import Job
from imagic_lora.ui.library import Shelf
from imagic_lora.ui.sessions import Session

_PREVIEW_SECONDS = 3
"""Time between two previews; each takes about as long as one step."""


@dataclass(frozen=True)
class Fitting:
    """How far a fit is.

    Attributes:
        progress: Its last step.
        losses: The losses of all steps.
        preview: The picture as it was last drawn, or None.
        name: The adapter's name, once it is saved.
        file: A copy of its file, to download.
        words: What was done, once it is saved.
    """

    progress: Progress | None = None
    losses: tuple[float, ...] = ()
    preview: Image.Image | None = None
    name: str = ""
    file: Path | None = None
    words: str = ""


def make_adapter(
    fit: Callable[..., Adapter], shelf: Shelf, session: Session, wish: str, job: Job
) -> None:
    """Fit, draw what is learned now and then, and save it; a stop keeps what there is.

    Args:
        fit: The fit, which lacks nothing but a callback.
        shelf: Where the adapter goes.
        session: Whose fit it is; the adapter is chosen there.
        wish: What the adapter should be called like.
        job: What tells how far the work is.
    """
    state, drawn = Fitting(), 0.0

    def show(progress: Progress) -> None:
        nonlocal state, drawn
        preview = state.preview
        if progress.preview and time.monotonic() - drawn > _PREVIEW_SECONDS:
            preview, drawn = progress.preview() or preview, time.monotonic()
        losses = state.losses if progress.loss is None else (*state.losses, progress.loss)
        state = Fitting(progress, losses, preview)
        job.post(state)
        if job.stopping:
            raise StopFit

    adapter = fit(on_progress=show)
    name = session.adapter = shelf.keep(adapter, wish)
    steps = len(adapter.record.losses)
    words = f"Fitted in {steps} step{'s' if steps > 1 else ''}"
    if adapter.record.gap is not None:
        words += f"; the loss is {adapter.record.gap:.0%} of what it was before"
    file = shelf.copy(name, session.folder)
    job.post(replace(state, name=name, file=file, words=f"{words}."))
