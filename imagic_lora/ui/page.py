"""The page: its three parts, and what happens between them."""

import json
import threading
from pathlib import Path
from typing import Any

import gradio

from imagic_lora.editing.recipe import Recipe
from imagic_lora.errors import ImageError, ImagicError
from imagic_lora.ui import markup, widgets
from imagic_lora.ui.line import JobsLine
from imagic_lora.ui.tabs.compare import CompareTab
from imagic_lora.ui.tabs.edit import EditTab
from imagic_lora.ui.tabs.history import HistoryTab
from imagic_lora.ui.tabs.library import LibraryTab
from imagic_lora.ui.tabs.working import BUSY
from imagic_lora.ui.widgets import Values
from imagic_lora.ui.workspace import Workspace

TITLE = "imagic_lora"
SENTENCE = "Change one picture by saying what it should show."
_HERE = Path(__file__).parent
CSS = (_HERE / "style.css").read_text("utf-8")
SCRIPT = "".join(
    f"<script>{(_HERE / name).read_text('utf-8')}</script>"
    for name in ("page.js", "looking.js", "framing.js", "painter.js")
)

_DAY = 24 * 60 * 60
_REMEMBER = "() => [imagicLora.tab(), imagicLora.visitor(), imagicLora.kept()]"
"""Gives the browser's tab and the browser names that outlive loading the page anew, and what the
tab's fields held."""

_MOST_WAITING = 256
"""Requests that may wait at once, so that nobody can fill the memory with them."""

_TAKEN_UP = "Its settings are taken up; press the button to make it again."
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
        self._turn = threading.Lock()  # what a folder held before is never read after what it holds
        blocks = gradio.Blocks(
            title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(_DAY, _DAY)
        )
        with blocks as self.blocks:
            self._lay_out()
            self._wire()
        self.blocks.queue(api_open=False, default_concurrency_limit=None, max_size=_MOST_WAITING)

    def _lay_out(self) -> None:
        """Lay out the parts, one beside the other."""
        self._heading = gradio.HTML(self._head(), elem_id="heading")
        self._key, self._visitor, self._held = (gradio.Textbox(visible=False) for _ in range(3))
        self.line = JobsLine(self._workspace)
        with gradio.Tabs(elem_id="tabs") as self._tabs:
            with gradio.Tab("Edit", id="edit"):
                self.edit = EditTab(self._workspace)
            with gradio.Tab("Compare", id="compare"):
                self.compare = CompareTab(self._workspace)
            with gradio.Tab("History", id="history", elem_id="history-tab") as self._past:
                self.history = HistoryTab(self._workspace)
            with gradio.Tab("Library", id="library", elem_id="library-tab") as self._place:
                self.library = LibraryTab(self._workspace)

    def _wire(self) -> None:
        """Connect the parts, and what crosses from one to another."""
        brought = self.edit.wire()
        self.compare.wire()
        self.line.wire()
        self.edit.model.wire(self._modelled)
        for event in (*brought, *self.library.wire()):
            self._refreshing(event.then)
        self._refreshing(self._place.select)
        for event in self.history.wire():
            self._remembering(event.then)
        self._remembering(self._past.select)
        picture, edit = self.edit.picture, self.edit
        looked_at = [*edit.looked_at, edit.masked, edit.status, edit.downloads]
        self.library.use.click(
            self._take,
            {picture.target, *edit.looked_by},
            [self._tabs, picture.target, *looked_at],
            **widgets.QUIET,
        )
        filled = {*picture.filled, *edit.form.held}
        chosen = picture.choose.upload(
            self._choose,
            {picture.choose, picture.target, picture.source, *edit.looked_by},
            [self._tabs, *looked_at, *filled, *self.compare.held],
            preprocess=False,
            **widgets.LATEST,
        )
        self._refreshing(chosen.then)
        self.history.restore.click(
            self._restore,
            edit.looked_by,
            {self._tabs, self.history.status, *looked_at, *edit.shown, *filled},
            **widgets.QUIET,
        )
        self._wire_opening()

    def _wire_opening(self) -> None:
        """Connect what happens when the page is loaded, also anew."""
        fields, edit = self._fields, self.edit
        gradio.on(
            [each.change for each in fields.values()],
            None,
            list(fields.values()),
            js=f"(...values) => imagicLora.keep({json.dumps(list(fields))}, values)",
        )
        opened = self.blocks.load(
            self._open,
            [self._key, self._visitor, self._held],
            [self.line.text, edit.masked, *self._of_model(), *fields.values()],
            js=_REMEMBER,
            **widgets.QUIET,
        )
        opened = self._refreshing(opened.then)
        looked = opened.then(edit.look, edit.looked_by, edit.looked_at, **widgets.QUIET)
        looked.then(edit.watch, outputs=edit.shown, **widgets.STREAM)
        opened.then(self.compare.watch, outputs=self.compare.shown, **widgets.STREAM)

    def _refreshing(self, event: Any) -> Any:
        """Show the adapters as they are, after an event."""
        outputs = [self.compare.used, *self.library.shown]
        return event(self._refresh, outputs=outputs, **widgets.LATEST)

    def _remembering(self, event: Any) -> Any:
        """Show the runs as they are, after an event."""
        history = self.history
        return event(self._remember, {history.which}, history.shown, **widgets.LATEST)

    @property
    def _fields(self) -> dict[str, Any]:
        """The fields that outlive loading the page anew, by their names."""
        found = [*self.edit.asked, *self.compare.asked]
        return {str(each.elem_id): each for each in sorted(found, key=lambda each: each.elem_id)}

    def _open(self, key: str, visitor: str, held: str, request: gradio.Request) -> dict[Any, Any]:
        """Find the session of a page that was just loaded, and fill in what its fields held."""
        session = self._workspace.sessions.open(str(request.session_hash), key, visitor)
        filled = widgets.remembered(self._fields, held)
        return {
            self.edit.masked: self.edit.mask.note(session),
            **self.line.show(request),
            **self._of_model(),
            **filled,
        }

    def _of_model(self) -> dict[Any, Any]:
        """Return all that depends on the model at hand."""
        edit = self.edit
        return {self._heading: self._head(), **edit.examples.show(), **edit.model.show()}

    def _head(self) -> str:
        """Return the line at the top of the page."""
        now = self._workspace.models.now
        if now.editor is None:
            return markup.heading(TITLE, SENTENCE, (now.name,))
        traits, device = now.editor.model.traits, str(now.editor.plan.device)
        sharp = traits.native_size < _SHARP
        return markup.heading(TITLE, SENTENCE, (traits.name, device), sharp=sharp)

    def _modelled(self, event: Any) -> Any:
        """Show the page as it is with another model, after an event."""
        edit = self.edit
        shown = event(self._of_model, outputs=list(self._of_model()), **widgets.QUIET)
        return self._refreshing(edit.looking(shown.then).then)

    def _refresh(self, request: gradio.Request) -> dict[Any, Any]:
        """Return the adapters, wherever they are shown."""
        with self._turn:
            library = self.library.refresh(request)  # it may choose another adapter
        used = self.compare.used_text(self._workspace.session(request))
        return {self.compare.used: used, **library}

    def _remember(self, values: Values, request: gradio.Request) -> dict[Any, Any]:
        """Return the runs that are shown."""
        with self._turn:
            return self.history.refresh(values, request)

    def _take(self, values: Values, request: gradio.Request) -> dict[Any, Any]:
        """Edit the adapter that is chosen in the library."""
        session, target = self._workspace.session(request), self.edit.picture.target
        own = session.is_own(values[target] or "")
        try:
            self._take_adapter(session.adapter, request)
        except ImagicError as error:
            return {self.edit.status: markup.note(str(error), "bad")}
        return {
            **self.edit.look(values, request),
            self._tabs: gradio.Tabs(selected="edit"),
            self.edit.status: "",
            self.edit.downloads: gradio.Row(visible=False),
            target: session.prompt if own else gradio.skip(),
        }

    def _take_adapter(self, name: str, request: gradio.Request) -> None:
        """Let a session edit an adapter of the library."""
        session, library = self._workspace.session(request), self._workspace.library
        entry, picture = library.find(name), library.load(name).input
        shown = entry.thumbnail
        if picture is not None:
            shown = session.folder / f"{entry.sha256}.png"
            shown.parent.mkdir(parents=True, exist_ok=True)
            picture.save(shown)
        session.take(name, shown, entry.record.target)

    def _choose(self, values: Values, request: gradio.Request) -> dict[Any, Any]:
        """Take in a picture, or take up what made one of our own."""
        shown, recipe = self.edit.choose(values, self._workspace.session(request))
        if recipe is None:
            return {**shown, self._tabs: gradio.Tabs(selected="edit")}
        if not recipe.alphas:
            return {**self.compare.take_up(recipe), self._tabs: gradio.Tabs(selected="compare")}
        return self._take_up(recipe, values, request)

    def _restore(self, values: Values, request: gradio.Request) -> dict[Any, Any]:
        """Take up a run of the history: what made it, and its pictures."""
        session, history = self._workspace.session(request), self._workspace.history
        try:
            if self.edit.is_busy(session):
                raise ImageError(BUSY)
            run = history.look().find(session.run)
            made = history.open(run, session.folder)
        except ImagicError as error:
            return {self.history.status: markup.note(str(error), "bad")}
        taken = self._take_up(run.recipe, values, request)
        said = {self.edit.status: taken[self.edit.status], self.history.status: ""}
        return {**taken, **self.edit.past(session, made), **said}

    def _take_up(self, recipe: Recipe, values: Values, request: gradio.Request) -> dict[Any, Any]:
        """Take up what made edits: the words, the settings, and the adapter if it is here."""
        session = self._workspace.session(request)
        entry = self._workspace.library.find_hash(recipe.adapter_sha256)
        said = markup.note(_TAKEN_UP, "good") if entry else markup.note(_NO_ADAPTER, "warn")
        if entry is not None:
            self._take_adapter(entry.name, request)
            self.edit.mask.keep(session, recipe.mask)
        return {
            **self.edit.form.take_up(recipe),
            **self.edit.look(values, request),
            self.edit.masked: self.edit.mask.note(session),
            self.edit.picture.target: recipe.target,
            self._tabs: gradio.Tabs(selected="edit"),
            self.edit.status: said,
            self.edit.downloads: gradio.Row(visible=False),
        }
