"""The part of the page that keeps the runs: look, restore, take away, delete."""

from typing import Any

import gradio

from imagic_lora.errors import ImagicError
from imagic_lora.ui import markup, sheet, stage, widgets
from imagic_lora.ui.history import PastRun
from imagic_lora.ui.sessions import Session
from imagic_lora.ui.widgets import Values
from imagic_lora.ui.workspace import Workspace

_THIS, _ALL = "of this picture", "of all pictures"
_EMPTY = "Nothing here yet: every run of edits is kept here once it is over."
_OTHERS = "No run of this picture yet; there are {} of others."


class HistoryTab:
    """Layout and wiring of the history.

    Args:
        workspace: What all parts share.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace, self._history = workspace, workspace.history
        with gradio.Row(equal_height=False, elem_classes=["work"]):
            with gradio.Column(elem_classes=["pictures"]):
                self.runs = gradio.HTML(elem_id="history-runs")
                self.stage = gradio.HTML(elem_id="history-stage")
                self.unreadable = gradio.HTML(elem_id="history-unreadable")
            with gradio.Column(elem_classes=["controls"]):
                self._right()
        self.chosen = gradio.Button(visible="hidden", elem_id="history-run")
        self.name = gradio.Textbox(visible=False, elem_id="history-name")
        looks = [self.runs, self.stage, self.unreadable, self.about]
        self.shown = [*looks, self.actions, self.download, self.asking]

    def _right(self) -> None:
        """Lay out what is known of the chosen run, and what can be done with it."""
        self.which = gradio.Radio([_THIS, _ALL], value=_THIS, label="Runs", elem_id="history-which")
        self.status = gradio.HTML(elem_id="history-status")
        self.about = gradio.HTML(elem_id="history-about")
        with gradio.Column(visible=False) as self.actions:
            self.restore = gradio.Button("Restore", variant="primary", elem_id="history-restore")
            self.download = gradio.DownloadButton("Download", size="md", elem_id="history-one")
            self.delete = gradio.Button("Delete", variant="stop", elem_id="history-delete")
            with gradio.Row(visible=False, elem_id="history-asking") as self.asking:
                self.sure = gradio.Button(
                    "Yes, delete it for good", variant="stop", elem_id="history-sure"
                )
                self.spare = gradio.Button("No, leave it", elem_id="history-spare")

    def wire(self) -> list[Any]:
        """Connect the widgets; return the events after which it is to be shown anew."""
        self.delete.click(self._ask, outputs=[self.asking], queue=False)
        self.spare.click(self._spare, outputs=[self.asking], queue=False)
        return [
            self.which.change(lambda: "", outputs=[self.status], **widgets.LATEST),
            self.chosen.click(self._choose, {self.name}, [self.status], **widgets.SAID),
            self.sure.click(self._delete, outputs=[self.status], **widgets.QUIET),
        ]

    def refresh(self, values: Values, request: gradio.Request) -> dict[Any, Any]:
        """Return everything that is shown, as it is in the folder now."""
        session, everything = self._workspace.session(request), self._history.runs()
        past = [
            run for run in everything if values[self.which] == _ALL or self._is_own(run, session)
        ]
        if session.run not in {run.name for run in past}:
            session.run = past[0].name if past else ""
        empty = _OTHERS.format(len(everything)) if everything else _EMPTY
        return {
            self.runs: sheet.runs(past, session.run) if past else markup.note(empty),
            self.unreadable: markup.notes(self._history.unreadable().values()),
            self.actions: gradio.Column(visible=bool(past)),
            self.asking: self._question(session),
            **self._look(session),
        }

    def _is_own(self, run: PastRun, session: Session) -> bool:
        """Return whether a run is of the picture that a session edits."""
        if session.picture is not None:
            return run.is_of(session.picture.sha256)
        try:
            entry = self._workspace.library.find(session.taken)
        except ImagicError:  # nothing is edited, or its adapter was deleted
            return False
        return run.is_of(entry.record.image_sha256 or entry.sha256)

    def _look(self, session: Session) -> dict[Any, Any]:
        """Return the chosen run: its pictures, and what is known of it."""
        nothing = {self.stage: "", self.about: "", self.download: None}
        if not session.run:
            return nothing
        try:
            run, made = (
                self._history.find(session.run),
                self._history.open(session.run, session.folder),
            )
        except ImagicError as error:
            return {**nothing, self.stage: markup.note(str(error), "bad")}
        recipe = run.recipe
        pairs = [
            ("shows", recipe.target),
            ("date", f"{run.when:%Y-%m-%d %H:%M}"),
            ("pictures", str(len(made.made))),
            ("alpha", ", ".join(f"{alpha:g}" for alpha in sorted(recipe.alphas))),
            ("seeds", ", ".join(map(str, recipe.seeds))),
            ("mask", "yes" if recipe.mask_sha256 else ""),
        ]
        return {
            self.stage: stage.results(made),
            self.about: markup.facts(pairs),
            self.download: str(made.files[1]),
        }

    def _choose(self, values: Values, request: gradio.Request) -> dict[Any, Any]:
        """Choose the run that was clicked."""
        self._workspace.session(request).run = values[self.name] or ""
        return {self.status: ""}

    def _question(self, session: Session) -> Any:
        """Take back the question whether to delete, if it was asked of another run."""
        if session.doomed_run in ("", session.run):
            return gradio.skip()
        session.doomed_run = ""
        return gradio.Row(visible=False)

    def _ask(self, request: gradio.Request) -> dict[Any, Any]:
        """Ask whether to delete the chosen run."""
        session = self._workspace.session(request)
        session.doomed_run = session.run
        return {self.asking: gradio.Row(visible=True)}

    def _spare(self, request: gradio.Request) -> dict[Any, Any]:
        """Leave the run that was asked about."""
        self._workspace.session(request).doomed_run = ""
        return {self.asking: gradio.Row(visible=False)}

    def _delete(self, request: gradio.Request) -> dict[Any, Any]:
        """Delete the run that was asked about."""
        session = self._workspace.session(request)
        try:
            self._history.delete(session.doomed_run)
        except ImagicError as error:
            return {self.status: markup.note(str(error), "bad")}
        return {self.status: markup.note("The run is deleted.", "good")}
