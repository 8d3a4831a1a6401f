"""The part of the page that edits: a picture, what it should show, one button, and what comes of it."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import gradio

from imagic_lora.editing.recipe import Recipe, read_recipe
from imagic_lora.errors import ImageError, ImagicError
from imagic_lora.ui import markup, stage, widgets
from imagic_lora.ui.jobs.fit import FitState
from imagic_lora.ui.jobs.pictures import PictureFolder
from imagic_lora.ui.jobs.queue import View, Work
from imagic_lora.ui.jobs.run import Run, RunState, make_run
from imagic_lora.ui.sessions import Session
from imagic_lora.ui.tabs.edit_form import EditForm
from imagic_lora.ui.tabs.mask_form import MaskForm
from imagic_lora.ui.tabs.picture import PictureForm
from imagic_lora.ui.tabs.working import WorkingTab
from imagic_lora.ui.widgets import Values
from imagic_lora.ui.workspace import Workspace

_KEPT = "What was learned is kept: press again to edit with it."
_AGAIN = "This picture is learned already; other words need no second fit."
_PHASES = {
    "caption": "Finding what the picture shows",
    "fit embedding": "1 of 2: learning the picture",
    "fit": "1 of 2: learning the picture",
}


class EditTab(WorkingTab):
    """Layout and wiring of the edits.

    Args:
        workspace: What all parts share.
    """

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace, "edit")
        files = [self.downloads, self.sheet, self.all, self.adapter]
        self.shown = [self.status, self.stage, self.run, self.stop, *files]
        self.looked_at = [self.stage, self.picture.remarks]

    def _pictures(self) -> None:
        """Lay out the pictures."""
        begins = "" if self._workspace.example else stage.empty()
        self.stage = gradio.HTML(begins, elem_id="stage")
        with gradio.Row(visible=False, elem_classes=["downloads"]) as self.downloads:
            self.sheet = gradio.DownloadButton("The sheet", size="sm", elem_id="edit-sheet")
            self.all = gradio.DownloadButton("All, as a zip", size="sm", elem_id="edit-all")
            self.adapter = gradio.DownloadButton("The adapter", size="sm", elem_id="edit-adapter")

    def _controls(self) -> None:
        """Lay out what asks for edits."""
        self.picture = PictureForm(self._workspace)
        self.picture.words()
        self._bar("Edit the picture", "")
        self.masked = gradio.HTML(elem_id="edit-masked")
        self.form = EditForm(self._workspace)
        with gradio.Accordion("Only a part of the picture", open=False):
            self.mask = MaskForm(self._workspace)
        self.picture.fold()

    def wire(self) -> Any:
        """Connect the widgets; return the event that ends a run."""
        self.form.wire()
        self.mask.wire(self.masked, self.picture.crop, self.picture.framed, self.looking)
        gradio.on(
            [widget.input for widget in self.picture.crop],
            self.look,
            self.looked_by,
            self.looked_at,
            **widgets.LATEST,
        )
        started = [self.run.click, self.picture.target.submit, self.picture.source.submit]
        return self._start([*started, *self.form.entered], self.asked, self.shown)

    @property
    def asked(self) -> set[Any]:
        """The widgets that say what is to be made."""
        return self.picture.asked | self.form.asked | {self.mask.feather}

    @property
    def looked_by(self) -> set[Any]:
        """The widgets that `look` reads."""
        return {*self.picture.crop, self.mask.feather}

    def looking(self, event: Any) -> Any:
        """Show what is edited anew, after an event."""
        return event(self.look, self.looked_by, self.looked_at, **widgets.LATEST)

    def look(self, values: Values, request: gradio.Request) -> dict[Any, Any]:
        """Show what is edited, as long as nothing else is to be seen."""
        session = self._workspace.session(request)
        shown, remarks = self.picture.show(session, values, self.mask.veil)
        return {self.stage: shown, self.picture.remarks: remarks}

    def choose(self, values: Values, session: Session) -> tuple[dict[Any, Any], Recipe | None]:
        """Take in a file that was chosen, dropped or pasted: a picture, or one that was made here.

        Returns:
            What the widgets show, and the recipe of a picture that was made here.
        """
        sent, nothing = values[self.picture.choose], {self.downloads: gradio.Row(visible=False)}
        try:
            recipe = self._recipe(sent)
            if recipe is not None:
                return {}, recipe
            filled = self.picture.take(session, sent, values)
        except ImagicError as error:
            session.load(None)
            refused = markup.note(str(error), "bad")
            return {self.status: refused, self.stage: stage.empty(), **nothing}, None
        crop = {self.picture.zoom: 1.0, self.picture.across: 0.5, self.picture.down: 0.5}
        shown, remarks = self.picture.show(session, {**values, **crop}, self.mask.veil)
        looks = {self.stage: shown, self.picture.remarks: remarks, self.status: ""}
        return {**filled, **looks, **nothing}, None

    def _recipe(self, sent: Any) -> Recipe | None:
        """Return what made a picture, where it was made here."""
        path = self._workspace.uploads.file(sent)
        try:
            return read_recipe(path)
        except ImageError:
            return None

    def _title(self, session: Session, values: Values) -> str:
        """Return what a run is called in the line of jobs."""
        return (values[self.picture.target] or "").strip() or session.taken

    def _work(self, session: Session, values: Values) -> Work:
        """Return the job that fits where that is needed, and makes the pictures."""
        start = self.picture.start(session, values)
        target = (values[self.picture.target] or "").strip()
        mask = self.mask.image(session, values)
        run = Run(start=start, sweep=self.form.sweep(target, mask, values))
        shared, folder = self._workspace, PictureFolder(session.folder)
        return partial(make_run, shared.editor, run, shared.library, session, folder)

    def _follow(self, session: Session, views: Iterable[View]) -> Iterator[dict[Any, Any]]:
        """Yield what the widgets show of a run; pictures are sent when there is another one."""
        seen: Any = None
        for view in views:
            state = view.state or RunState()
            look = self._over(view, state) if view.done else self._under_way(view, state)
            now = _pictures_of(state)
            if now != seen or (view.done and now[1]):
                look |= self._staged(session, state)
            seen = now
            yield look

    def _staged(self, session: Session, state: RunState) -> dict[Any, Any]:
        """Return the pictures of a run, if there are any yet."""
        if state.sweep is not None:
            return {self.stage: stage.results(state.sweep)}
        if state.fit is not None and state.fit.preview is not None:
            path = PictureFolder(session.folder).save_preview(state.fit.preview)
            words = "what is learned so far, drawn anew from noise"
            return {self.stage: stage.single(path, words, state.fit.preview.size)}
        return {}

    def _under_way(self, view: View, state: RunState) -> dict[Any, Any]:
        """Return what the widgets show of a run that waits or goes on."""
        return {
            self.status: _progress_text(view, state) + markup.notes(view.notes),
            self.downloads: gradio.Row(visible=False),
            **self._can_run(view),
        }

    def _over(self, view: View, state: RunState) -> dict[Any, Any]:
        """Return what the widgets show of a run that is over."""
        files = state.sweep.files if state.sweep else ()
        sheet, everything = map(str, files) if files else (None, None)
        adapter = state.fit.file if state.fit else None
        return {
            self.status: _done_text(view, state) + markup.notes(view.notes),
            self.downloads: gradio.Row(visible=bool(files or adapter)),
            self.sheet: gradio.DownloadButton(value=sheet, visible=bool(sheet)),
            self.all: gradio.DownloadButton(value=everything, visible=bool(everything)),
            self.adapter: gradio.DownloadButton(
                value=str(adapter) if adapter else None, visible=bool(adapter)
            ),
            **self._can_run(view),
        }


def _pictures_of(state: RunState) -> tuple[Any, int, bool]:
    """Return what tells apart states that show other pictures."""
    preview = state.fit.preview if state.fit else None
    if state.sweep is None:
        return preview, 0, False
    return None, len(state.sweep.made) + 1, bool(state.sweep.files)


def _progress_text(view: View, state: RunState) -> str:
    """Return how far a run is."""
    left = state.ahead.seconds_left
    if state.sweep is not None:
        count = f"{len(state.sweep.made)} of {len(state.sweep.sweep)} done"
        step = "2 of 2: editing" if state.fit else "Editing"
        known = "" if state.fit else markup.note(_AGAIN)
        label = f"{step}, {count}"
        return markup.bar(state.ahead.share, label, left) + known
    if state.fit is None or state.fit.progress is None:
        return markup.waiting(view.before)
    progress = state.fit.progress
    label = (
        f"{_PHASES.get(progress.phase, progress.phase)}, step {progress.step} of {progress.steps}"
    )
    return markup.bar(state.ahead.share, label, left, state.fit.losses)


def _done_text(view: View, state: RunState) -> str:
    """Return what became of a run."""
    fit = _fit_text(state.fit) if state.fit and state.fit.name else ""
    if view.error:
        return markup.note(view.error, "bad") + fit
    if state.sweep is None:
        return fit or markup.stopped(view.begun)
    made, asked = len(state.sweep.made), len(state.sweep.sweep)
    if view.stopping and made < asked:
        return markup.note(f"Stopped; {made} of {asked} pictures were made.", "warn") + fit
    found = markup.notes(state.sweep.found, "good")
    done = markup.note(f"Done. {'' if state.fit else _AGAIN}".strip(), "good")
    return (found or done) + fit


def _fit_text(fit: FitState) -> str:
    """Return what a fit came to."""
    stopped = fit.words.startswith("Stopped")
    return markup.note(
        f"{fit.words} {_KEPT}" if stopped else fit.words, "warn" if stopped else "info"
    )
