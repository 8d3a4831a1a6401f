"""The part of the page that edits: an adapter, a prompt, strengths and seeds; a grid of pictures."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gradio

from imagic_lora.errors import ImagicError
from imagic_lora.ui import markup, widgets
from imagic_lora.ui.jobs.edit import Editing, make_edits
from imagic_lora.ui.jobs.pictures import Print, Prints
from imagic_lora.ui.jobs.queue import View
from imagic_lora.ui.studio import Studio
from imagic_lora.ui.tabs.edit_form import EditForm

_WAITING = "Choose an adapter, say what the picture should show, then press Edit."


class EditTab:
    """Layout and wiring of the edits.

    Args:
        studio: What all parts share.
    """

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        with gradio.Row(equal_height=False):
            with gradio.Column(scale=5, min_width=320):
                self.form = EditForm(studio)
                with gradio.Row():
                    self.run = gradio.Button("Edit", variant="primary", elem_id="edit-run")
                    self.stop = gradio.Button("Stop", interactive=False, elem_id="edit-stop")
                self.form.fold()
            with gradio.Column(scale=7, min_width=320):
                self.status = gradio.HTML(markup.note(_WAITING), elem_id="edit-status")
                self.grid = gradio.Gallery(
                    label="Strengths across, seeds down",
                    columns=5,
                    fit_columns=False,
                    height="auto",
                    allow_preview=False,
                    interactive=False,
                    buttons=[],
                    object_fit="contain",
                    elem_id="edit-grid",
                    elem_classes=["picture"],
                )
                self.slider = gradio.ImageSlider(
                    label="Before and after",
                    interactive=False,
                    visible=False,
                    buttons=[],
                    max_height=420,
                    elem_id="edit-slider",
                    elem_classes=["picture"],
                )
                self.about = gradio.HTML(elem_id="edit-about")
                with gradio.Row(visible=False) as self.downloads:
                    self.one = gradio.DownloadButton("This picture", size="md", elem_id="edit-one")
                    self.sheet = gradio.DownloadButton("The grid", size="md", elem_id="edit-sheet")
                    self.all = gradio.DownloadButton("All, as a zip", size="md", elem_id="edit-all")
        self.details = [self.slider, self.about, self.one]
        self.shown = [
            self.status,
            self.grid,
            self.run,
            self.stop,
            self.downloads,
            self.sheet,
            self.all,
            *self.details,
        ]

    def wire(self) -> None:
        """Connect the widgets."""
        self.form.wire()
        self.grid.select(self._look, outputs=self.details, **widgets.EACH)
        self.stop.click(self._stop, outputs=[self.stop], queue=False)
        gradio.on(
            [self.run.click, *self.form.entered],
            self._run,
            self.form.asked,
            self.shown,
            concurrency_limit=None,
            show_progress="hidden",
        )

    def watch(self, request: gradio.Request) -> Iterator[Sequence[Any]]:
        """Yield what is to be seen of a session's edits, if there are any."""
        session, shown = self._studio.session(request), -1
        if session.edits is None:
            yield [gradio.skip()] * len(self.shown)
            return
        for view in self._studio.desk.watch(session.edits):
            state = view.state
            session.made = state.made if state else ()
            session.before = state.before if state else None
            count = len(session.made)
            yield self._show(view, state, count != shown)
            shown = count

    def _run(self, request: gradio.Request, *asked: Any) -> Any:
        """Check what was given, get in line, and yield the pictures as they are made."""
        session = self._studio.session(request)
        try:
            plan = self.form.plan(session, *asked)
        except ImagicError as error:
            yield self._failed(markup.note(str(error), "bad"))
            return
        prints = Prints(session.folder)
        session.edits = self._studio.desk.submit(
            partial(make_edits, self._studio.editor, plan, prints)
        )
        yield from self.watch(request)

    def _show(self, view: View, state: Editing | None, more: bool) -> Sequence[Any]:  # noqa: FBT001
        """Return what the widgets show of a run."""
        made = state.made if state else ()
        grid = gradio.skip()
        if state and more:
            alone = state.total == state.columns  # one row needs no seeds
            pictures = [(each.path, each.label if alone else each.caption) for each in made]
            grid = gradio.Gallery(pictures, columns=state.columns, label=_title(made))
        if not view.done:
            text = _progress_text(view, state) + markup.notes(view.notes)
            busy = gradio.Button(interactive=False)
            ready = gradio.Button("Stop", interactive=not view.stopping)
            return text, grid, busy, ready, *[gradio.skip()] * 6
        text = markup.notes(view.notes)
        if view.error:
            text = markup.note(view.error, "bad") + text
        else:
            text = markup.note(_done_text(state), "good") + text
        files = [str(path) for path in state.files] if state and state.files else [None, None]
        best = min(made, key=lambda each: abs(getattr(each.picture, "alpha", 0) - 1), default=None)
        details = self._details(best, state.before if state else None)
        free, idle = gradio.Button(interactive=True), gradio.Button("Stop", interactive=False)
        return text, grid, free, idle, gradio.Row(visible=bool(made)), *files, *details

    def _failed(self, text: str) -> Sequence[Any]:
        """Return what the widgets show where nothing could begin."""
        return text, *[gradio.skip()] * (len(self.shown) - 1)

    def _look(self, picked: gradio.SelectData, request: gradio.Request) -> Sequence[Any]:
        """Show the picture that was clicked beside the input."""
        session = self._studio.session(request)
        if not 0 <= picked.index < len(session.made):
            return [gradio.skip()] * 3
        return self._details(session.made[picked.index], session.before)

    def _details(self, chosen: Print | None, before: Path | None) -> Sequence[Any]:
        """Return one picture against the input, what made it, and its file."""
        if chosen is None:
            return gradio.ImageSlider(visible=False), "", None
        pair = gradio.ImageSlider(
            (str(before), str(chosen.path)),
            label=f"Before and after: {chosen.caption}",
            visible=True,
        )
        record = chosen.picture.record()
        named = [("target", record["target"]), ("alpha", f"{record['alpha']:g}")]
        return (
            pair,
            markup.facts([*named, *markup.settings_facts(record["settings"])]),
            str(chosen.path),
        )

    def _stop(self, request: gradio.Request) -> Any:
        """Ask a session's edits to end; what is made stays."""
        job = self._studio.session(request).edits
        if job is not None:
            job.stop()
        return gradio.Button(interactive=False)


def _progress_text(view: View, state: Editing | None) -> str:
    """Return how far a run is."""
    if state is None:
        return markup.waiting(view.before)
    count = f"{len(state.made)} of {state.total} done"
    if state.progress is None:
        return markup.note(f"{count}.")
    return markup.bar(state.progress, f"{count} · {state.label}")


def _done_text(state: Editing | None) -> str:
    """Return what became of a run."""
    if state is None:
        return "Stopped before anything was made."
    if len(state.made) < state.total:
        return f"Stopped; {len(state.made)} of {state.total} pictures were made."
    return "Done. Click a picture to hold it against the input."


def _title(made: Sequence[Print]) -> str:
    """Return the heading of a grid."""
    return f'"{made[0].picture.target}"' if made else "Strengths across, seeds down"
