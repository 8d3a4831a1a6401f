"""The part of the page that edits: an adapter, a prompt, strengths and seeds; a grid of pictures."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gradio

from imagic_lora.errors import ImagicError
from imagic_lora.ui import markup, widgets
from imagic_lora.ui.jobs.edit import SweepState, make_sweep
from imagic_lora.ui.jobs.pictures import PictureFolder, SavedPicture
from imagic_lora.ui.jobs.queue import View
from imagic_lora.ui.tabs.edit_form import EditForm
from imagic_lora.ui.widgets import Values
from imagic_lora.ui.workspace import Workspace

_WAITING = "Choose an adapter, say what the picture should show, then press Edit."


class EditTab:
    """Layout and wiring of the edits.

    Args:
        workspace: What all parts share.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        with gradio.Row(equal_height=False):
            with gradio.Column(scale=5, min_width=300):
                self._left()
            with gradio.Column(scale=7, min_width=300):
                self._right()
        self.details = [self.slider, self.about, self.one]
        files = [self.downloads, self.sheet, self.all]
        self.shown = [self.status, self.grid, self.run, self.stop, *files, *self.details]

    def _left(self) -> None:
        """Lay out what asks for edits."""
        self.form = EditForm(self._workspace)
        with gradio.Row():
            self.run = gradio.Button("Edit", variant="primary", elem_id="edit-run")
            self.stop = gradio.Button("Stop", interactive=False, elem_id="edit-stop")
        self.form.fold()

    def _right(self) -> None:
        """Lay out what was made."""
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

    def wire(self) -> None:
        """Connect the widgets."""
        self.form.wire()
        self.grid.select(self._look, outputs=self.details, **widgets.EACH)
        self.stop.click(self._stop, outputs=[self.stop], queue=False)
        started = [self.run.click, *self.form.entered]
        gradio.on(started, self._run, self.form.asked, self.shown, **widgets.STREAM)

    def watch(self, request: gradio.Request) -> Iterator[dict[Any, Any]]:
        """Yield what is to be seen of a session's edits, if there are any."""
        session, shown = self._workspace.session(request), -1
        if session.edits is None:
            yield widgets.nothing()
            return
        for view in self._workspace.jobs.watch(session.edits):
            state = view.state
            session.made = state.made if state else ()
            session.before = state.before if state else None
            count = len(session.made)
            grid = self._grid(state) if state and count != shown else {}
            yield {**(self._over if view.done else self._under_way)(view, state), **grid}
            shown = count

    def _run(self, values: Values, request: gradio.Request) -> Iterator[dict[Any, Any]]:
        """Check what was given, get in the queue, and yield the pictures as they are made."""
        session = self._workspace.session(request)
        try:
            sweep = self.form.sweep(session, values)
        except ImagicError as error:
            yield {self.status: markup.note(str(error), "bad")}
            return
        folder = PictureFolder(session.folder)
        work = partial(make_sweep, self._workspace.editor, sweep, folder)
        session.edits = self._workspace.jobs.submit(work)
        yield from self.watch(request)

    def _grid(self, state: SweepState) -> dict[Any, Any]:
        """Return the pictures that are there, a column for each strength."""
        alone = len(state.sweep.seeds) == 1  # one row needs no seeds
        pictures = [(each.path, each.label if alone else each.caption) for each in state.made]
        columns, label = state.sweep.columns, _title(state.made)
        return {self.grid: gradio.Gallery(pictures, columns=columns, label=label)}

    def _under_way(self, view: View, state: SweepState | None) -> dict[Any, Any]:
        """Return what the widgets show of a run that waits or goes on; of the last one, nothing."""
        return {
            self.status: _progress_text(view, state) + markup.notes(view.notes),
            self.run: gradio.Button(interactive=False),
            self.stop: gradio.Button(interactive=not view.stopping),
            self.downloads: gradio.Row(visible=False),
            **self._details(None, None),
        }

    def _over(self, view: View, state: SweepState | None) -> dict[Any, Any]:
        """Return what the widgets show of a run that is over."""
        made = state.made if state else ()
        files = map(str, state.files) if state and state.files else (None, None)
        best = min(made, key=lambda each: abs(getattr(each.picture, "alpha", 0) - 1), default=None)
        return {
            self.status: _done_text(view, state) + markup.notes(view.notes),
            self.run: gradio.Button(interactive=True),
            self.stop: gradio.Button(interactive=False),
            self.downloads: gradio.Row(visible=bool(made)),
            **dict(zip((self.sheet, self.all), files, strict=True)),
            **self._details(best, state.before if state else None),
        }

    def _look(self, picked: gradio.SelectData, request: gradio.Request) -> dict[Any, Any]:
        """Show the picture that was clicked beside the input."""
        session = self._workspace.session(request)
        if not 0 <= picked.index < len(session.made):
            return widgets.nothing()
        return self._details(session.made[picked.index], session.before)

    def _details(self, chosen: SavedPicture | None, before: Path | None) -> dict[Any, Any]:
        """Return one picture against the input, what made it, and its file."""
        if chosen is None:
            return {self.slider: gradio.ImageSlider(visible=False), self.about: "", self.one: None}
        pair = gradio.ImageSlider(
            (str(before), str(chosen.path)),
            label=f"Before and after: {chosen.caption}",
            visible=True,
        )
        record = chosen.picture.record()
        named = [("target", record["target"]), ("alpha", f"{record['alpha']:g}")]
        facts = markup.facts([*named, *markup.settings_facts(record["settings"])])
        return {self.slider: pair, self.about: facts, self.one: str(chosen.path)}

    def _stop(self, request: gradio.Request) -> dict[Any, Any]:
        """Ask a session's edits to end; those that are made stay."""
        job = self._workspace.session(request).edits
        if job is not None:
            self._workspace.jobs.stop(job)
        return {self.stop: gradio.Button(interactive=False)}


def _progress_text(view: View, state: SweepState | None) -> str:
    """Return how far a run is."""
    if state is None:
        return markup.waiting(view.before)
    count = f"{len(state.made)} of {len(state.sweep)} done"
    if state.progress is None:
        return markup.note(f"{count}.")
    return markup.bar(state.progress, f"{count} · {state.label}")


def _done_text(view: View, state: SweepState | None) -> str:
    """Return what became of a run."""
    if view.error:
        return markup.note(view.error, "bad")
    if state is None:
        return markup.stopped(view.begun)
    made, asked = len(state.made), len(state.sweep)
    if made < asked:
        return markup.note(f"Stopped; {made} of {asked} pictures were made.", "warn")
    return markup.note("Done. Click a picture to hold it against the input.", "good")


def _title(made: Sequence[SavedPicture]) -> str:
    """Return the heading of a grid."""
    return f'"{made[0].picture.target}"' if made else "Strengths across, seeds down"
