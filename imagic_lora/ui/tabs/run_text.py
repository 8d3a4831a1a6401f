"""How far a run is, and what became of it, in words."""

from imagic_lora.ui import markup
from imagic_lora.ui.jobs.fit import FitState
from imagic_lora.ui.jobs.queue import View
from imagic_lora.ui.jobs.run import RunState

_KEPT = "What was learned is kept: press again to edit with it."
_OFFERED = "It is kept as long as this page: download it, or make room and save it again."
_AGAIN = "This picture is learned already; other words need no second fit."
_TRYING = "A quick try first, without learning anything"
_PHASES = {
    "caption": "Finding what the picture shows",
    "fit embedding": "1 of 2: learning the picture",
    "fit": "1 of 2: learning the picture",
}


def progress(view: View, state: RunState) -> str:
    """Return how far a run is."""
    left = state.ahead.seconds_left
    if state.sweep is not None:
        done = "done" if state.sweep.sweep.alphas else "strengths found"
        count = f"{state.sweep.fresh} of {len(state.sweep.sweep)} {done}"
        step = "2 of 2: editing" if state.fit else "Editing"
        known = "" if state.fit else markup.note(_AGAIN)
        label = f"{step}, {count}"
        return markup.bar(state.ahead.share, label, left) + known
    if state.trying is not None:
        return markup.bar(0.0, _TRYING, None)
    if state.fit is None or state.fit.progress is None:
        return markup.waiting(view.before)
    now = state.fit.progress
    label = f"{_PHASES.get(now.phase, now.phase)}, step {now.step} of {now.steps}"
    return markup.bar(state.ahead.share, label, left, state.fit.losses)


def done(view: View, state: RunState) -> str:
    """Return what became of a run."""
    fit = _fit_text(state.fit) if state.fit and state.fit.words else ""
    if view.error:
        return markup.note(view.error, "bad") + fit
    if state.sweep is None:
        return fit or markup.stopped(view.begun)
    made, asked = state.sweep.fresh, len(state.sweep.sweep)
    if view.stopping and made < asked:
        what = "pictures were made" if state.sweep.sweep.alphas else "strengths were found"
        return markup.note(f"Stopped; {made} of {asked} {what}.", "warn") + fit
    found = markup.notes(state.sweep.found, "good")
    said = markup.note(f"Done. {'' if state.fit else _AGAIN}".strip(), "good")
    return (found or said) + fit


def _fit_text(fit: FitState) -> str:
    """Return what a fit came to."""
    stopped = fit.words.startswith("Stopped")
    words = f"{fit.words} {_KEPT}" if stopped else fit.words
    said = markup.note(words, "warn" if stopped else "info")
    if fit.unsaved:
        said += markup.note(f"Not in the library: {fit.unsaved} {_OFFERED}", "bad")
    return said
