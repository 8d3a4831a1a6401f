"""The part of the page that keeps the runs: look, restore, take away, delete."""

from typing import Any

import gradio

from imagic_lora.errors import ImagicError
from imagic_lora.ui import markup, sheet, stage, widgets
from imagic_lora.ui.history import PastRun
from imagic_lora.ui.sessions import Session
from imagic_lora.ui.tabs.deletion import Deletion
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
        self.shown = [*looks, self.actions, self.download, self.deletion.asking]

    def _right(self) -> None:
        """Lay out what is known of the chosen run, and what can be done with it."""
        self.which = gradio.Radio([_THIS, _ALL], value=_THIS, label="Runs", elem_id="history-which")
        self.status = gradio.HTML(elem_id="history-status")
        self.about = gradio.HTML(elem_id="history-about")
        with gradio.Column(visible=False) as self.actions:
            self.restore = gradio.Button("Restore", variant="primary", elem_id="history-restore")
            self.download = gradio.DownloadButton("Download", size="md", elem_id="history-one")
            self.deletion = Deletion(
                self._workspace, "history", lambda session: session.run, self._delete
            )

    def wire(self) -> list[Any]:
        """Connect the widgets; return the events after which it is to be shown anew."""
        return [
            self.which.change(lambda: "", outputs=[self.status], **widgets.LATEST),
            self.chosen.click(self._choose, {self.name}, [self.status], **widgets.SAID),
            self.deletion.wire(self.status),
        ]

    def refresh(self, values: Values, request: gradio.Request) -> dict[Any, Any]:
        """Return everything that is shown, as it is in the folder now."""
        session, shelf = self._workspace.session(request), self._history.look()
        own = self._picture(session)
        past = [run for run in shelf.runs if values[self.which] == _ALL or run.is_of(own)]
        chosen = next((run for run in past if run.name == session.run), past[0] if past else None)
        session.run = chosen.name if chosen else ""
        empty = _OTHERS.format(len(shelf.runs)) if shelf.runs else _EMPTY
        return {
            self.runs: sheet.runs(past, session.run) if past else markup.note(empty),
            self.unreadable: markup.notes(shelf.unreadable.values()),
            self.actions: gradio.Column(visible=bool(past)),
            self.deletion.asking: self.deletion.question(session),
            **self._look(chosen, session),
        }

    def _picture(self, session: Session) -> str:
        """Return the hash of the picture that a session edits, or "" for none."""
        if session.picture is not None:
            return session.picture.sha256
        try:
            entry = self._workspace.library.find(session.taken)
        except ImagicError:  # nothing is edited, or its adapter was deleted
            return ""
        return entry.record.image_sha256 or entry.sha256

    def _look(self, run: PastRun | None, session: Session) -> dict[Any, Any]:
        """Return a run: its pictures, and what is known of it."""
        nothing = {self.stage: "", self.about: "", self.download: None}
        if run is None:
            return nothing
        try:
            made = self._history.open(run, session.folder)
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

    def _delete(self, _: Session, name: str) -> str:
        """Delete a run, and return what to say of it."""
        self._history.delete(name)
        return "The run is deleted."
