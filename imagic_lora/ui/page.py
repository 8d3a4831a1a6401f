"""The page: its four parts, and what happens between them."""

from pathlib import Path
from typing import Any

import gradio

from imagic_lora.editing.recipe import read_recipe
from imagic_lora.errors import ImageError
from imagic_lora.ui import markup, widgets
from imagic_lora.ui.tabs.compare import CompareTab
from imagic_lora.ui.tabs.edit import EditTab
from imagic_lora.ui.tabs.fit import FitTab
from imagic_lora.ui.tabs.library import LibraryTab
from imagic_lora.ui.widgets import Values
from imagic_lora.ui.workspace import Workspace

TITLE = "imagic_lora"
CSS = (Path(__file__).parent / "style.css").read_text("utf-8")

_DAY = 24 * 60 * 60
_NAME_THE_TAB = """() => {
    const known = sessionStorage.getItem("imagic-lora");
    if (known) return known;
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    const fresh = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    sessionStorage.setItem("imagic-lora", fresh);
    return fresh;
}"""
"""Gives each browser tab a name that outlives loading the page anew."""

_MOST_WAITING = 256
"""Requests that may wait at once, so that nobody can fill the memory with them."""

_NO_ADAPTER = "Its settings are taken up; its adapter is not in the library, bring it there."

_SHARP = 256
"""Canvas, in pixels, below which pictures are enlarged without blurring them."""


class Page:
    """The page and what happens between its parts.

    Args:
        workspace: What all its parts share.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        sharp = ["sharp"] if workspace.editor.model.traits.native_size < _SHARP else []
        blocks = gradio.Blocks(
            title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(_DAY, _DAY)
        )
        with blocks as self.blocks, gradio.Column(elem_classes=sharp):
            self._lay_out()
            self._wire()
        self.blocks.queue(api_open=False, default_concurrency_limit=None, max_size=_MOST_WAITING)

    def _lay_out(self) -> None:
        """Lay out the parts, one beside the other."""
        editor = self._workspace.editor
        gradio.HTML(markup.heading(TITLE, (editor.model.traits.name, str(editor.plan.device))))
        self._key = gradio.Textbox(visible=False)
        with gradio.Tabs(elem_id="tabs") as self._tabs:
            with gradio.Tab("Fit", id="fit"):
                self.fit = FitTab(self._workspace)
            with gradio.Tab("Edit", id="edit", elem_id="edit-tab") as edit_place:
                self.edit = EditTab(self._workspace)
            with gradio.Tab("Compare", id="compare"):
                self.compare = CompareTab(self._workspace)
            with gradio.Tab("Library", id="library", elem_id="library-tab") as library_place:
                self.library = LibraryTab(self._workspace)
        self._places = (edit_place, library_place)

    def _wire(self) -> None:
        """Connect the parts, and what crosses from one to another."""
        fitted = self.fit.wire()
        self.edit.wire()
        self.compare.wire()
        for event in (fitted, *self.library.wire()):
            self._refreshing(event.then)
        for place in self._places:
            self._refreshing(place.select)
        for button in (self.fit.edit, self.library.use):
            button.click(self._turn_to_edits, outputs=[self._tabs], **widgets.QUIET)
        form = self.edit.form
        filled = [self._tabs, self.edit.status, form.drop, *form.held, *self.compare.held]
        restored = form.drop.upload(
            self._restore, {form.drop}, filled, preprocess=False, **widgets.QUIET
        )
        self._refreshing(restored.then)
        self._wire_opening()

    def _wire_opening(self) -> None:
        """Connect what happens when the page is loaded, also anew."""
        form = self.edit.form
        opened = self.blocks.load(
            self._open,
            {self._key},
            [self.fit.picture, form.mask, form.masked],
            js=_NAME_THE_TAB,
            **widgets.QUIET,
        )
        opened = self._refreshing(opened.then)
        framed = opened.then(self.fit.show_picture, self.fit.crop, self.fit.taken, **widgets.QUIET)
        framed.then(self.fit.watch, outputs=self.fit.shown, **widgets.STREAM)
        for part in (self.edit, self.compare):
            opened.then(part.watch, outputs=part.shown, **widgets.STREAM)

    def _refreshing(self, event: Any) -> Any:
        """Show the adapters as they are, after an event."""
        form = self.edit.form
        outputs = [form.adapters, form.chosen, form.target, *self.library.shown]
        return event(self._refresh, {form.target}, outputs, **widgets.LATEST)

    def _open(self, values: Values, request: gradio.Request) -> dict[Any, Any]:
        """Find the session of a page that was just loaded, and show its picture and its mask."""
        session = self._workspace.sessions.open(str(request.session_hash), values[self._key])
        return {
            self.fit.picture: str(session.picture) if session.picture else None,
            self.edit.form.mask: str(session.mask) if session.mask else None,
            self.edit.form.masked: self.edit.form.mask_note(session),
        }

    def _refresh(self, values: Values, request: gradio.Request) -> dict[Any, Any]:
        """Return the adapters, wherever they are shown."""
        edits = self.edit.form.refresh(values, request)  # it may choose another adapter
        return {**edits, **self.library.refresh(request)}

    def _turn_to_edits(self) -> dict[Any, Any]:
        """Show the part of the page that edits."""
        return {self._tabs: gradio.Tabs(selected="edit")}

    def _restore(self, values: Values, request: gradio.Request) -> dict[Any, Any]:
        """Take up what made a picture, and show the part of the page that makes such ones."""
        drop, status = self.edit.form.drop, self.edit.status
        try:
            recipe = read_recipe(self._workspace.uploads.image(values[drop]))
        except ImageError as error:
            return {status: markup.note(str(error), "bad"), drop: None}
        if not recipe.alphas:
            return {**self.compare.take_up(recipe), self._tabs: gradio.Tabs(selected="compare")}
        entry = self._workspace.library.find_hash(recipe.adapter_sha256)
        if entry is None:
            said = markup.note(_NO_ADAPTER, "warn")
        else:
            said = markup.note("Its settings are taken up.", "good")
            self._workspace.session(request).choose(entry.name, entry.record.target)
        return {**self.edit.form.take_up(recipe), status: said, drop: None}
