"""The page: its four parts, and what happens between them."""

from pathlib import Path
from typing import Any

import gradio

from imagic_lora.errors import ImageError
from imagic_lora.ui import markup, widgets
from imagic_lora.ui.restore import read_recipe
from imagic_lora.ui.studio import Studio, without_folder
from imagic_lora.ui.tabs.compare import CompareTab
from imagic_lora.ui.tabs.edit import EditTab
from imagic_lora.ui.tabs.fit import FitTab
from imagic_lora.ui.tabs.library import LibraryTab

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

_SHARP = 256
"""Canvas, in pixels, below which pictures are enlarged without blurring them."""


class Page:
    """The page and what happens between its parts.

    Args:
        studio: What all its parts share.
    """

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        traits, plan = studio.editor.model.traits, studio.editor.plan
        sharp = ["sharp"] if traits.native_size < _SHARP else []
        with (
            gradio.Blocks(
                title=TITLE,
                analytics_enabled=False,
                fill_width=True,
                delete_cache=(_DAY, _DAY),
            ) as self.blocks,
            gradio.Column(elem_classes=sharp),
        ):
            gradio.HTML(markup.heading(TITLE, (traits.name, str(plan.device))))
            self._tab = gradio.Textbox(visible=False)
            with gradio.Tabs(elem_id="tabs") as self._tabs:
                with gradio.Tab("Fit", id="fit"):
                    self.fit = FitTab(studio)
                with gradio.Tab("Edit", id="edit") as edit_place:
                    self.edit = EditTab(studio)
                with gradio.Tab("Compare", id="compare"):
                    self.compare = CompareTab(studio)
                with gradio.Tab("Library", id="library") as library_place:
                    self.library = LibraryTab(studio)
            self._shelves = [self.edit.form.adapters, self.edit.form.chosen, *self.library.shown]
            self._wire(edit_place, library_place)
        self.blocks.queue(api_open=False, default_concurrency_limit=None, max_size=_MOST_WAITING)

    def _wire(self, *places: Any) -> None:
        """Connect what crosses from one part to another."""
        quiet: dict[str, Any] = {"show_progress": "hidden"}
        fitted = self.fit.wire()
        self.edit.wire()
        self.compare.wire()
        changed = [fitted, *self.library.wire()]
        for event in changed:
            event.then(self._refresh, outputs=self._shelves, **widgets.LATEST)
        for place in places:
            place.select(self._refresh, outputs=self._shelves, **widgets.LATEST)
        for button in (self.fit.edit, self.library.use):
            button.click(lambda: gradio.Tabs(selected="edit"), outputs=[self._tabs], **quiet)
        self.edit.form.drop.upload(
            self._restore,
            [self.edit.form.drop],
            [
                self._tabs,
                self.edit.status,
                self.edit.form.drop,
                *self.edit.form.held,
                *self.compare.held,
            ],
            preprocess=False,
            **quiet,
        ).then(self._refresh, outputs=self._shelves, **widgets.LATEST)
        opened = self.blocks.load(
            self._open,
            [self._tab],
            [self.fit.picture, self.edit.form.mask],
            js=_NAME_THE_TAB,
            **quiet,
        ).then(self._refresh, outputs=self._shelves, **widgets.LATEST)
        opened.then(
            self.fit.frame, self.fit.crop, [self.fit.cropped, self.fit.status], **quiet
        ).then(self.fit.watch, outputs=self.fit.shown, concurrency_limit=None, **quiet)
        for part in (self.edit, self.compare):
            opened.then(part.watch, outputs=part.shown, concurrency_limit=None, **quiet)

    def _open(self, key: str, request: gradio.Request) -> list[str | None]:
        """Find the session of a page that was just loaded, and show its picture and its mask."""
        session = self._studio.sessions.open(str(request.session_hash), key)
        session.named = ""
        return [str(path) if path else None for path in (session.picture, session.mask)]

    def _refresh(self, request: gradio.Request) -> tuple[Any, ...]:
        """Return the adapters, wherever they are shown."""
        return *self.edit.form.refresh(request), *self.library.refresh(request)

    def _restore(self, sent: Any, request: gradio.Request) -> dict[Any, Any]:
        """Take up what made a picture, and show the part of the page that makes such ones."""
        emptied = {self.edit.form.drop: None}
        try:
            recipe = read_recipe(self._studio.uploaded_image(sent))
        except ImageError as error:
            return {self.edit.status: markup.note(without_folder(error, sent), "bad"), **emptied}
        if not recipe.alphas:
            return {**self.compare.take_up(recipe), self._tabs: gradio.Tabs(selected="compare")}
        entry = self._studio.shelf.find_hash(recipe.adapter_sha256)
        said = markup.note("Its settings are taken up.", "good")
        if entry is None:
            said = markup.note(
                "Its settings are taken up; its adapter is not in the library, bring it there.",
                "warn",
            )
        else:
            self._studio.session(request).adapter = entry.name
        return {**self.edit.form.take_up(recipe), self.edit.status: said, **emptied}
