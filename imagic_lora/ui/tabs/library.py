"""The part of the page that keeps the adapters: look, choose, rename, delete, bring, take away."""

from typing import Any

import gradio

from imagic_lora.errors import ImagicError
from imagic_lora.ui import markup, widgets
from imagic_lora.ui.sessions import Session
from imagic_lora.ui.tabs import gallery
from imagic_lora.ui.tabs.deletion import Deletion
from imagic_lora.ui.widgets import Values
from imagic_lora.ui.workspace import Workspace
from imagic_lora.units import bytes_text

_EMPTY = "Nothing here yet. Fit a picture, or bring an adapter that somebody sent you."


class LibraryTab:
    """Layout and wiring of the library.

    Args:
        workspace: What all parts share.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace, self._library = workspace, workspace.library
        with gradio.Row(equal_height=False, elem_classes=["work"]):
            with gradio.Column(elem_classes=["pictures"]):
                label = f"Adapters in the folder {self._library.folder.name}"
                self.adapters = gallery.adapter_gallery(label, "library-adapters", "auto")
                self.unreadable = gradio.HTML(elem_id="library-unreadable")
            with gradio.Column(elem_classes=["controls"]):
                self.bring = gradio.UploadButton(
                    "Bring an adapter file", size="md", file_count="single", elem_id="library-bring"
                )
                self._right()
        asked = [self.name, self.download, self.deletion.asking]
        self.shown = [self.adapters, self.about, self.actions, self.unreadable, *asked]

    def _right(self) -> None:
        """Lay out what is known of the chosen adapter, and what can be done with it."""
        self.status = gradio.HTML(elem_id="library-status")
        self.about = gradio.HTML(elem_id="library-about")
        with gradio.Column(visible=False) as self.actions:
            self.use = gradio.Button("Edit with it", variant="primary", elem_id="use")
            self.download = gradio.DownloadButton("Download", size="md", elem_id="library-one")
            with gradio.Row(elem_classes=["tight"]):
                self.name = gradio.Textbox(label="Name", lines=1, elem_id="library-name", scale=3)
                self.rename = gradio.Button("Rename", scale=1, elem_id="library-rename")
            self.deletion = Deletion(
                self._workspace, "library", lambda session: session.adapter, self._delete
            )

    def wire(self) -> list[Any]:
        """Connect the widgets; return the events that may have changed something."""
        brought = self.bring.upload(
            self._accept, {self.bring}, [self.status], preprocess=False, **widgets.EACH
        )
        renaming = [self.rename.click, self.name.submit]
        return [
            self.adapters.select(self._choose, outputs=[self.status], **widgets.EACH),
            brought,
            gradio.on(renaming, self._rename, {self.name}, [self.status], **widgets.QUIET),
            self.deletion.wire(self.status),
        ]

    def refresh(self, request: gradio.Request) -> dict[Any, Any]:
        """Return everything that is shown, as it is in the folder now."""
        session = self._workspace.session(request)
        entries = self._library.entries()
        if session.adapter not in {entry.name for entry in entries}:
            session.adapter = entries[0].name if entries else ""
        chosen = session.adapter in {entry.name for entry in entries}
        shown = {
            self.adapters: gallery.filled(entries, session.adapter),
            self.about: "" if entries else markup.note(_EMPTY),
            self.actions: gradio.Column(visible=chosen),
            self.name: self._name(session),
            self.download: None,
            self.deletion.asking: self.deletion.question(session),
            self.unreadable: markup.notes(self._library.unreadable().values()),
        }
        if chosen:
            shown[self.about] = self._about(session.adapter)
            shown[self.download] = str(self._library.copy(session.adapter, session.folder))
        return shown

    def _name(self, session: Session) -> Any:
        """Return the chosen adapter's name, or nothing where the page has it: one may be typing."""
        if session.named == session.adapter:
            return gradio.skip()
        session.named = session.adapter
        return session.adapter

    def _about(self, name: str) -> str:
        """Return what is known of an adapter."""
        entry = self._library.find(name)
        record = entry.record
        pairs = [
            ("shows", record.source),
            ("fitted for", record.target),
            ("base model", record.base_model),
            ("canvas", f"{record.width} x {record.height} pixels"),
            ("fitted in", f"{len(record.losses)} steps" if record.losses else ""),
            ("rank", str(entry.rank)),
            ("file", bytes_text(entry.bytes)),
            ("date", f"{entry.changed:%Y-%m-%d %H:%M}"),
            ("hash", entry.sha256[:12]),
        ]
        mismatch = markup.note(entry.mismatch, "bad") if entry.mismatch else ""
        return mismatch + markup.facts(pairs)

    def _choose(self, picked: gradio.SelectData, request: gradio.Request) -> dict[Any, Any]:
        """Choose the adapter that was clicked."""
        self._workspace.session(request).adapter = gallery.name_of(picked)
        return {self.status: ""}

    def _accept(self, values: Values, request: gradio.Request) -> dict[Any, Any]:
        """Take in a file, if it is an adapter for this model."""
        before = {entry.name for entry in self._library.entries()}
        try:
            name = self._library.accept(self._workspace.uploads.file(values[self.bring]))
        except ImagicError as error:
            return self._said(str(error), "bad")
        self._workspace.session(request).adapter = name
        if name in before:
            return self._said(f"The same adapter is here already, as {name}.", "info")
        return self._said(f"{name} is here now.", "good")

    def _rename(self, values: Values, request: gradio.Request) -> dict[Any, Any]:
        """Give the chosen adapter another name."""
        session = self._workspace.session(request)
        before = session.adapter
        try:
            session.adapter = self._library.rename(before, values[self.name] or "")
        except ImagicError as error:
            return self._said(str(error), "bad")
        return self._said(f"{before} is now called {session.adapter}.", "good")

    def _delete(self, session: Session, name: str) -> str:
        """Delete an adapter, and return what to say of it."""
        if session.adapter == name:
            session.adapter = ""
        self._library.delete(name)
        return f"{name} is deleted."

    def _said(self, text: str, kind: str) -> dict[Any, Any]:
        """Return what came of it."""
        return {self.status: markup.note(text, kind)}
