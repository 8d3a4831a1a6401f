"""The part of the page that compares: the same prompt by an edit and by plain img2img."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import gradio

from imagic_lora.editing.recipe import Recipe
from imagic_lora.errors import AdapterError, PromptError
from imagic_lora.settings import (
    ALPHA,
    NOISE,
    STRENGTH,
    EditSettings,
    SamplingSettings,
    options,
)
from imagic_lora.ui import markup, stage, widgets
from imagic_lora.ui.jobs.compare import Comparison, ComparisonState, make_both
from imagic_lora.ui.jobs.pictures import PictureFolder
from imagic_lora.ui.jobs.queue import View, Work
from imagic_lora.ui.sessions import Session
from imagic_lora.ui.tabs.working import WorkingTab
from imagic_lora.ui.widgets import Values
from imagic_lora.ui.workspace import Workspace

_NONE = "There is no adapter yet: edit a picture first, or bring an adapter to the library."
_HINT = "The same words by an edit and by plain img2img, side by side with the input."
_STRENGTH = 0.6
_SHOWN = ("negative", "seed")
"""Settings that are shown at once; all others are folded away."""


class CompareTab(WorkingTab):
    """Layout and wiring of the comparison.

    Args:
        workspace: What all parts share.
    """

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace, "compare")
        self.held = {self.target, self.strength, self.noise, *self.form.values()}
        files = [self.downloads, self.one, self.other]
        self.shown = [self.status, self.run, self.stop, self.stage, *files]

    def _pictures(self) -> None:
        """Lay out the three pictures."""
        self.stage = gradio.HTML(_stage(ComparisonState()), elem_id="compare-stage")
        with gradio.Row(visible=False, elem_classes=["downloads"]) as self.downloads:
            self.one = gradio.DownloadButton("The edit", size="sm", elem_id="compare-one")
            self.other = gradio.DownloadButton(
                "The img2img picture", size="sm", elem_id="compare-other"
            )

    def _controls(self) -> None:
        """Lay out what asks for a comparison."""
        self.used = gradio.HTML(elem_id="compare-used")
        self.target = widgets.target("compare-target")
        self._bar("Compare", "")
        self.alpha = widgets.widget("alpha", ALPHA, 1.0, elem_id="compare-alpha")
        self.strength = widgets.widget("strength", STRENGTH, _STRENGTH, elem_id="compare-strength")
        self.noise = widgets.widget("noise", NOISE, 0.0, elem_id="compare-noise")
        first = widgets.form(EditSettings, only=_SHOWN, prefix="compare")
        with gradio.Accordion("More settings", open=False):
            rest = widgets.form(EditSettings, skip=_SHOWN, prefix="compare")
        self.form = {**first, **rest}

    def used_text(self, session: Session) -> str:
        """Return which adapter is compared."""
        if not session.adapter:
            return markup.note(_NONE, "warn")
        return markup.facts([("adapter", session.adapter)])

    def wire(self) -> None:
        """Connect the widgets."""
        started = [self.run.click, self.target.submit, self.form["negative"].submit]
        self._start(started, self.asked, self.shown)

    @property
    def asked(self) -> set[Any]:
        """The widgets that say what is to be made."""
        return {self.alpha, *self.held}

    def take_up(self, recipe: Recipe) -> dict[Any, Any]:
        """Return what the widgets show of a recipe."""
        names = dict(options(SamplingSettings))
        return {
            self.target: recipe.target,
            self.strength: recipe.strength,
            self.noise: recipe.noise,
            **{self.form[name]: getattr(recipe.settings, name) for name in names},
        }

    def _title(self, session: Session, values: Values) -> str:
        """Return what a comparison is called in the line of jobs."""
        return f"compare: {(values[self.target] or '').strip() or session.adapter}"

    def _work(self, session: Session, values: Values) -> Work:
        """Return the job that makes both pictures."""
        asked, folder = self._comparison(session, values), PictureFolder(session.folder)
        return partial(make_both, self._workspace.editor, asked, folder)

    def _follow(self, _: Session, views: Iterable[View]) -> Iterator[dict[Any, Any]]:
        """Yield what the widgets show of a comparison, from one view to the next."""
        for view in views:
            yield self._show(view, view.state or ComparisonState())

    def _comparison(self, session: Session, values: Values) -> Comparison:
        """Return what is to be made, everything checked that can be checked before."""
        if not session.adapter:
            raise AdapterError(_NONE)
        adapter = self._workspace.library.load(session.adapter)
        target = (values[self.target] or "").strip() or adapter.record.target
        if not target:
            raise PromptError("The adapter was fitted without a target; say what it should show.")
        return Comparison(
            adapter=adapter,
            target=target,
            alpha=widgets.number("alpha", ALPHA, values[self.alpha]),
            strength=widgets.number("strength", STRENGTH, values[self.strength]),
            noise=widgets.number("noise", NOISE, values[self.noise]),
            settings=widgets.read(EditSettings, self.form, values),
        )

    def _show(self, view: View, state: ComparisonState) -> dict[Any, Any]:
        """Return what the widgets show of a comparison."""
        edit, variation = (*state.made, None, None)[:2]
        return {
            self.status: _text(view, state) + markup.notes(view.notes),
            self.stage: _stage(state),
            self.downloads: gradio.Row(visible=view.done and bool(state.made)),
            self.one: str(edit.path) if edit else None,
            self.other: str(variation.path) if variation else None,
            **self._can_run(view),
        }


def _text(view: View, state: ComparisonState) -> str:
    """Return how far a comparison is, or what became of it."""
    if view.done and view.error:
        return markup.note(view.error, "bad")
    if view.done and not state.made:
        return markup.stopped(view.begun)
    if view.done:
        complete = len(state.made) > 1
        return markup.note(*(("Done.", "good") if complete else ("Stopped.", "warn")))
    if state.progress is None:
        return markup.waiting(view.before)
    words = f"Making the {state.label} picture"
    return markup.bar(state.share, words, state.progress.seconds_left)


def _stage(state: ComparisonState) -> str:
    """Return the three pictures, as far as they are there."""
    if state.before is None:
        return stage.hint(_HINT)
    edit, variation = (*state.made, None, None)[:2]
    made = (("Edit", edit), ("img2img", variation))
    return stage.row(
        [
            ("Input", "as the model sees it", state.before),
            *(
                (name, f"{each.label}, {each.row}" if each else "", each.path if each else None)
                for name, each in made
            ),
        ]
    )
