"""The part of the page that edits: an adapter, a prompt, strengths and seeds; a grid of pictures."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gradio

from imagic_lora.ui import markup, widgets
from imagic_lora.ui.jobs.edit import SweepState, make_sweep
from imagic_lora.ui.jobs.pictures import PictureFolder, SavedPicture
from imagic_lora.ui.jobs.queue import View, Work
from imagic_lora.ui.sessions import Session
from imagic_lora.ui.tabs.edit_form import EditForm
from imagic_lora.ui.tabs.working import WorkingTab
from imagic_lora.ui.widgets import Values
from imagic_lora.ui.workspace import Workspace

_WAITING = "Choose an adapter, say what the picture should show, then press Edit."


class EditTab(WorkingTab):
    """Layout and wiring of the edits.

    Args:
        workspace: What all parts share.
    """

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace, "edit")
        self.details = [self.slider, self.about, self.one]
        files = [self.downloads, self.sheet, self.all]
        self.shown = [self.status, self.grid, self.run, self.stop, *files, *self.details]

    def _left(self) -> None:
        """Lay out what asks for edits."""
        self.form = EditForm(self._workspace)
        self._buttons("Edit", "Stop")
        self.form.fold()

    def _right(self) -> None:
        """Lay out what was made."""
        self._status(_WAITING)
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
        self._start([self.run.click, *self.form.entered], self.form.asked, self.shown)

    def _follow(self, session: Session, views: Iterable[View]) -> Iterator[dict[Any, Any]]:
        """Yield what the widgets show of edits; the grid is sent when there is another picture."""
        shown = -1
        for view in views:
            state = view.state
            session.made = state.made if state else ()
            session.before = state.before if state else None
            count = len(session.made)
            grid = self._grid(state) if state and count != shown else {}
            yield {**(self._over if view.done else self._under_way)(view, state), **grid}
            shown = count

    def _work(self, session: Session, values: Values) -> Work:
        """Return the job that makes the pictures."""
        sweep, folder = self.form.sweep(session, values), PictureFolder(session.folder)
        return partial(make_sweep, self._workspace.editor, sweep, folder)

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
