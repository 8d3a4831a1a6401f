"""The part of the page that keeps the adapters: look, choose, rename, delete, bring, take away."""

from typing import Any

import gradio

from imagic_lora.errors import ImagicError
from imagic_lora.ui import markup, widgets
from imagic_lora.ui.sessions import Session
from imagic_lora.ui.studio import Studio
from imagic_lora.ui.tabs.edit_form import blank
from imagic_lora.units import bytes_text

_EMPTY = "Nothing here yet. Fit a picture, or bring an adapter that somebody sent you."


class LibraryTab:
    """Layout and wiring of the library.

    Args:
        studio: What all parts share.
    """

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        with gradio.Row(equal_height=False):
            with gradio.Column(scale=7, min_width=320):
                self.adapters = gradio.Gallery(
                    label=f"Adapters in {studio.shelf.folder.name}",
                    columns=4,
                    fit_columns=False,
                    height="auto",
                    allow_preview=False,
                    interactive=False,
                    buttons=[],
                    object_fit="cover",
                    elem_id="library-adapters",
                    elem_classes=["picture", "thumbnails"],
                )
                self.bring = gradio.UploadButton(
                    "Bring an adapter file", file_count="single", elem_id="library-bring"
                )
                self.unreadable = gradio.HTML(elem_id="library-unreadable")
            with gradio.Column(scale=5, min_width=320):
                self.status = gradio.HTML(elem_id="library-status")
                self.about = gradio.HTML(elem_id="library-about")
                with gradio.Column(visible=False) as self.actions:
                    with gradio.Row():
                        self.use = gradio.Button("Edit with it", variant="primary", elem_id="use")
                        self.download = gradio.DownloadButton("Download", elem_id="library-one")
                    with gradio.Row(elem_classes=["tight"]):
                        self.name = gradio.Textbox(
                            label="Name", lines=1, elem_id="library-name", scale=3
                        )
                        self.rename = gradio.Button("Rename", scale=1, elem_id="library-rename")
                    self.delete = gradio.Button("Delete", variant="stop", elem_id="library-delete")
                    with gradio.Row(visible=False) as self.asking:
                        self.sure = gradio.Button(
                            "Yes, delete it for good", variant="stop", elem_id="library-sure"
                        )
                        self.spare = gradio.Button("No, leave it", elem_id="library-spare")
        self.shown = [
            self.adapters,
            self.about,
            self.actions,
            self.name,
            self.download,
            self.asking,
            self.unreadable,
        ]

    def wire(self) -> list[Any]:
        """Connect the widgets; return the events that may have changed something."""
        quiet: dict[str, Any] = {"show_progress": "hidden"}
        self.delete.click(self._ask, outputs=[self.asking], queue=False)
        self.spare.click(self._spare, outputs=[self.asking], queue=False)
        return [
            self.adapters.select(self._choose, outputs=[self.status], **widgets.EACH),
            self.bring.upload(
                self._accept, [self.bring], [self.status], preprocess=False, **widgets.EACH
            ),
            gradio.on(
                [self.rename.click, self.name.submit],
                self._rename,
                [self.name],
                [self.status],
                **quiet,
            ),
            self.sure.click(self._delete, outputs=[self.status], **quiet),
        ]

    def refresh(self, request: gradio.Request) -> tuple[Any, ...]:
        """Return everything that is shown, as it is in the folder now."""
        session = self._studio.session(request)
        entries = self._studio.shelf.entries()
        names = [entry.name for entry in entries]
        pictures = [(entry.thumbnail or blank(), entry.name) for entry in entries]
        damaged = self._studio.shelf.unreadable().values()
        index = names.index(session.adapter) if session.adapter in names else None
        gallery = gradio.Gallery(pictures, selected_index=index, visible=bool(pictures))
        about = self._about(session.adapter) if index is not None else ""
        file = (
            str(self._studio.shelf.copy(session.adapter, session.folder))
            if index is not None
            else None
        )
        return (
            gallery,
            about or ("" if entries else markup.note(_EMPTY)),
            gradio.Column(visible=index is not None),
            self._name(session),
            file,
            self._question(session),
            markup.notes(damaged),
        )

    def _question(self, session: Session) -> Any:
        """Take back the question whether to delete, if it was asked of another adapter."""
        if session.doomed in ("", session.adapter):
            return gradio.skip()
        session.doomed = ""
        return gradio.Row(visible=False)

    def _name(self, session: Session) -> Any:
        """Return the chosen adapter's name, or nothing where the page has it: one may be typing."""
        if session.named == session.adapter:
            return gradio.skip()
        session.named = session.adapter
        return session.adapter

    def _about(self, name: str) -> str:
        """Return what is known of an adapter."""
        entry = self._studio.shelf.find(name)
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

    def _choose(self, picked: gradio.SelectData, request: gradio.Request) -> str:
        """Choose the adapter that was clicked."""
        self._studio.session(request).adapter = str(picked.value["caption"])
        return ""

    def _accept(self, sent: Any, request: gradio.Request) -> str:
        """Take in a file, if it is an adapter for this model."""
        try:
            name = self._studio.shelf.accept(self._studio.uploaded(sent))
        except ImagicError as error:
            return markup.note(str(error), "bad")
        self._studio.session(request).adapter = name
        return markup.note(f"{name} is here now.", "good")

    def _rename(self, wish: str, request: gradio.Request) -> str:
        """Give the chosen adapter another name."""
        session = self._studio.session(request)
        before = session.adapter
        try:
            session.adapter = self._studio.shelf.rename(before, wish or "")
        except ImagicError as error:
            return markup.note(str(error), "bad")
        return markup.note(f"{before} is now called {session.adapter}.", "good")

    def _ask(self, request: gradio.Request) -> Any:
        """Ask whether to delete the chosen adapter."""
        session = self._studio.session(request)
        session.doomed = session.adapter
        return gradio.Row(visible=True)

    def _spare(self, request: gradio.Request) -> Any:
        """Leave the adapter that was asked about."""
        self._studio.session(request).doomed = ""
        return gradio.Row(visible=False)

    def _delete(self, request: gradio.Request) -> str:
        """Delete the adapter that was asked about."""
        session = self._studio.session(request)
        name = session.doomed
        if session.adapter == name:
            session.adapter = ""
        try:
            self._studio.shelf.delete(name)
        except ImagicError as error:
            return markup.note(str(error), "bad")
        return markup.note(f"{name} is deleted.", "good")
