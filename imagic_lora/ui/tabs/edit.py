"""The part of the page that edits: a picture, what it should show, one button, and what comes of it."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import gradio

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.editing.recipe import Recipe, read_recipe
from imagic_lora.errors import AdapterError, ImageError, ImagicError, SettingsError
from imagic_lora.ui import markup, stage, widgets
from imagic_lora.ui.jobs.edit import SweepState, finer
from imagic_lora.ui.jobs.pictures import PictureFolder, SavedEdit
from imagic_lora.ui.jobs.queue import View, Work
from imagic_lora.ui.jobs.run import Run, RunState, make_run
from imagic_lora.ui.sessions import Session
from imagic_lora.ui.tabs import run_text
from imagic_lora.ui.tabs.edit_form import EditForm, checked, two
from imagic_lora.ui.tabs.examples import Examples
from imagic_lora.ui.tabs.mask_form import MaskForm
from imagic_lora.ui.tabs.model_form import ModelForm
from imagic_lora.ui.tabs.picture import PictureForm
from imagic_lora.ui.tabs.working import WorkingTab
from imagic_lora.ui.widgets import Values
from imagic_lora.ui.workspace import Workspace

_NO_PICTURES = "There are no pictures yet to be finer between; edit a picture first."
_ALL_MADE = "There is nothing between these two that is not there already; choose others."
_NO_ADAPTER = "The adapter of these pictures is not in the library any more; bring it there."

_QUICK = (
    ("A quick try", "plain img2img; nothing learned yet"),
    ("Another", "our edit; nothing learned yet"),
)


class EditTab(WorkingTab):
    """Layout and wiring of the edits.

    Args:
        workspace: What all parts share.
    """

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace, "edit")
        files = [self.downloads, self.sheet, self.all, self.adapter, self.again]
        self.shown = [self.status, self.stage, self.run, self.stop, *files]
        self.looked_at = [self.stage, self.picture.remarks]

    def _pictures(self) -> None:
        """Lay out the pictures."""
        begins = "" if self._workspace.welcome else stage.empty()
        self.stage = gradio.HTML(begins, elem_id="stage")
        with gradio.Row(visible=False, elem_classes=["downloads"]) as self.downloads:
            self.sheet = gradio.DownloadButton("The sheet", size="sm", elem_id="edit-sheet")
            self.all = gradio.DownloadButton("All, as a zip", size="sm", elem_id="edit-all")
            self.adapter = gradio.DownloadButton("The adapter", size="sm", elem_id="edit-adapter")
            self.again = gradio.Button("Save it again", size="sm", elem_id="edit-again")
        self.finer = gradio.Button(visible="hidden", elem_id="edit-finer")
        self.two = gradio.Textbox(visible=False, elem_id="edit-two")

    def _controls(self) -> None:
        """Lay out what asks for edits."""
        self.picture = PictureForm(self._workspace)
        self.picture.words()
        self.examples = Examples(self._workspace, self.picture)
        self._bar("Edit the picture", "")
        self.masked = gradio.HTML(elem_id="edit-masked")
        self.form = EditForm(self._workspace)
        with gradio.Accordion("Only a part of the picture", open=False):
            self.mask = MaskForm(self._workspace)
        self.picture.fold()
        with gradio.Accordion("Model and memory", open=False, elem_id="memory"):
            self.model = ModelForm(self._workspace)

    def wire(self) -> list[Any]:
        """Connect the widgets; return the events that may have brought an adapter."""
        self.form.wire()
        self.examples.wire(
            {self.status: "", self.downloads: gradio.Row(visible=False)}, self.looking
        )
        self.mask.wire(self.masked, self.picture.crop, self.picture.framed, self.looking)
        self.picture.wire(self.looking)
        self.finer.click(self._refine, {self.two}, self.shown, **{**widgets.SAID, **widgets.STREAM})
        started = [self.run.click, self.picture.target.submit, self.picture.source.submit]
        return [
            self._start([*started, *self.form.entered], self.asked, self.shown),
            self.again.click(self._save, outputs=[self.status, self.again], **widgets.QUIET),
        ]

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
        whole = {**values, **self.picture.place.whole}
        shown, remarks = self.picture.show(session, whole, self.mask.veil)
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
        shared = self._workspace
        return partial(make_run, shared.editor, run, shared.library, shared.history, session)

    def past(self, session: Session, made: SweepState) -> dict[Any, Any]:
        """Take up pictures that were made before, as if they had just been made.

        Args:
            session: Whose they are from now on.
            made: The pictures.
        """
        state = RunState(sweep=made)
        session.jobs["edit"] = job = self._workspace.jobs.over(state)
        (view,) = self._workspace.jobs.watch(job)
        return {**self._over(session, view, state), **self._staged(session, state)}

    def _save(self, request: gradio.Request) -> dict[Any, Any]:
        """Try once more to save in the library what it could not take."""
        session = self._workspace.session(request)
        adapter = session.unsaved
        if adapter is None:
            return {self.again: gradio.Button(visible=False)}
        try:
            name = self._workspace.library.save(adapter, adapter.record.target)
        except ImagicError as error:
            return {self.status: markup.note(f"Not in the library: {error}", "bad")}
        session.adapter, session.unsaved = name, None
        said = markup.note(f"{name} is in the library now.", "good")
        return {self.status: said, self.again: gradio.Button(visible=False)}

    def _refine(self, values: Values, request: gradio.Request) -> Iterator[dict[Any, Any]]:
        """Make strengths between two of those that are there."""
        session = self._workspace.session(request)
        prepare = partial(self._finer, session, values[self.two] or "")
        yield from self._begin("finer strengths", prepare, request)

    def _finer(self, session: Session, given: str) -> Work:
        """Return the job that makes strengths between two that are given."""
        job = session.jobs.get("edit")
        state = job.state.sweep if job is not None and job.state is not None else None
        if state is None or not state.made:
            raise ImageError(_NO_PICTURES)
        low, high = two(given)
        shared, sweep = self._workspace, checked(finer(state, low, high))
        if not sweep.missing:
            raise SettingsError(_ALL_MADE)
        run = Run(start=self._adapter_of(session, state.made[0]), sweep=sweep)
        return partial(make_run, shared.editor, run, shared.library, shared.history, session)

    def _adapter_of(self, session: Session, made: SavedEdit) -> Adapter:
        """Return the adapter that a picture was made with.

        Raises:
            AdapterError: When neither the library nor the session has it.
        """
        library, sha256 = self._workspace.library, made.picture.adapter_sha256
        if session.unsaved is not None and session.unsaved.sha256 == sha256:
            return session.unsaved
        entry = library.find_hash(sha256)
        if entry is None:
            raise AdapterError(_NO_ADAPTER)
        return library.load(entry.name)

    def _follow(self, session: Session, views: Iterable[View]) -> Iterator[dict[Any, Any]]:
        """Yield what the widgets show of a run; pictures are sent when there is another one."""
        seen: Any = None
        for view in views:
            state = view.state or RunState()
            look = self._over(session, view, state) if view.done else self._under_way(view, state)
            now = _pictures_of(state)
            if now != seen or (view.done and now[1]):
                look |= self._staged(session, state)
            seen = now
            yield look

    def _staged(self, session: Session, state: RunState) -> dict[Any, Any]:
        """Return the pictures of a run, if there are any yet."""
        if state.sweep is not None:
            return {self.stage: stage.results(state.sweep)}
        if not state.quick and state.seen is None:
            return {}
        preview = state.fit.preview if state.fit else None
        drawn = PictureFolder(session.folder).save_preview(preview) if preview else None
        paths = (each.path for each in state.quick)
        row = [(*words, next(paths, None)) for words in _QUICK]
        row.append(("Learned so far", "drawn anew from noise", drawn))
        if state.seen is not None:
            line = f"its autoencoder gives your picture back like this, at {state.seen.decibels:.0f} dB"
            row.insert(0, ("As the model can show it", line, state.seen.path))
        return {self.stage: stage.row(row)}

    def _under_way(self, view: View, state: RunState) -> dict[Any, Any]:
        """Return what the widgets show of a run that waits or goes on."""
        return {
            self.status: run_text.progress(view, state) + markup.notes(view.notes),
            self.downloads: gradio.Row(visible=False),
            **self._can_run(view),
        }

    def _over(self, session: Session, view: View, state: RunState) -> dict[Any, Any]:
        """Return what the widgets show of a run that is over."""
        files = state.sweep.files if state.sweep else ()
        sheet, everything = map(str, files) if files else (None, None)
        adapter = state.fit.file if state.fit else None
        unsaved = session.unsaved is not None
        return {
            self.status: run_text.done(view, state) + markup.notes(view.notes),
            self.downloads: gradio.Row(visible=bool(files or adapter or unsaved)),
            self.sheet: gradio.DownloadButton(value=sheet, visible=bool(sheet)),
            self.all: gradio.DownloadButton(value=everything, visible=bool(everything)),
            self.adapter: gradio.DownloadButton(
                value=str(adapter) if adapter else None, visible=bool(adapter)
            ),
            self.again: gradio.Button(visible=unsaved),
            **self._can_run(view),
        }


def _pictures_of(state: RunState) -> tuple[Any, int, bool]:
    """Return what tells apart states that show other pictures."""
    preview = state.fit.preview if state.fit else None
    if state.sweep is None:
        return (state.seen, state.quick, preview), 0, False
    return None, len(state.sweep.made) + 1, bool(state.sweep.files)
