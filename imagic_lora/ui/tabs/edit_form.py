"""What an edit is asked for by: an adapter, a prompt, strengths, seeds, and all other settings."""

from typing import Any

import gradio

from imagic_lora.editing.recipe import Recipe
from imagic_lora.errors import AdapterError, ImageError, PromptError, SettingsError
from imagic_lora.settings import ALPHA, EditSettings, Option, options
from imagic_lora.ui import markup, widgets
from imagic_lora.ui.jobs.edit import Sweep
from imagic_lora.ui.sessions import Session
from imagic_lora.ui.tabs import gallery
from imagic_lora.ui.widgets import Values
from imagic_lora.ui.workspace import Workspace

_MOST = 64
"""Pictures of one sweep: what a person can look over."""

_EMPTY = "There is no adapter yet: fit a picture first, or bring one in the library."
_MASKED = "Only what is white in the mask may change."
_SEED = dict(options(EditSettings))["seed"]
_COUNT = Option("how many strengths", kind=int, low=1, high=_MOST)
_SHOWN = ("negative",)
"""Settings that are shown at once; all others are folded away."""

_SWEEP, _ONE, _FOUND = "a sweep", "one strength", "found for me"


class EditForm:
    """The widgets that ask for an edit, laid out where it is made.

    Args:
        workspace: What all parts share.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.adapters = gallery.adapter_gallery("Adapter", "edit-adapters", 170)
        self.chosen = gradio.HTML(elem_id="edit-chosen")
        self.target = widgets.target("edit-target")
        self._strengths()
        self.seeds = gradio.Textbox(
            str(EditSettings.seed),
            label="seeds",
            info="a row of pictures for each; several with commas between them",
            elem_id="edit-seeds",
        )
        self.settings = widgets.form(EditSettings, only=_SHOWN, prefix="edit")
        self.masked = gradio.HTML(elem_id="edit-masked")

    def _strengths(self) -> None:
        """Lay out what asks for strengths."""
        example, usual = self._workspace.example, ALPHA.usual or (0, 1)
        alphas = example.alphas if example else usual
        self.how = gradio.Radio(
            [_SWEEP, _ONE, _FOUND],
            value=_SWEEP,
            show_label=False,
            container=False,
            elem_id="edit-how",
        )
        with gradio.Row(elem_classes=["tight"]) as self.ends:
            self.low = gradio.Number(min(alphas), label="from", min_width=80, elem_id="edit-from")
            self.high = gradio.Number(max(alphas), label="to", min_width=80, elem_id="edit-to")
            self.count = gradio.Number(5, label="count", min_width=80, elem_id="edit-count")
        self.alpha = widgets.widget("alpha", ALPHA, 1.0, visible=False, elem_id="edit-alpha")

    def fold(self) -> None:
        """Lay out what is folded away: the other settings, and the place to drop a picture."""
        with gradio.Accordion("More settings", open=False):
            rest = widgets.form(EditSettings, skip=(*_SHOWN, "seed"), prefix="edit")
        self.settings |= rest
        with gradio.Accordion("Only a part of the picture", open=False):
            self.mask = gradio.Image(
                type="filepath",
                sources=["upload", "clipboard"],
                label="Mask: white where the edit may change it, black where it must not",
                height=160,
                buttons=[],
                elem_id="edit-mask",
                elem_classes=["picture"],
            )
        self.drop = gradio.File(
            label="Take up the settings of a picture made here",
            file_count="single",
            height=90,
            elem_id="edit-drop",
        )

    @property
    def asked(self) -> set[Any]:
        """The widgets that `sweep` reads."""
        strengths = (self.how, self.alpha, self.low, self.high, self.count)
        return {self.target, self.seeds, *strengths, *self.settings.values()}

    @property
    def held(self) -> set[Any]:
        """The widgets that a recipe fills."""
        return {self.ends, *self.asked}

    @property
    def entered(self) -> list[Any]:
        """The events of an Enter key that asks for the edit."""
        return [self.target.submit, self.seeds.submit, self.settings["negative"].submit]

    def wire(self) -> None:
        """Connect the widgets."""
        self.how.change(self._unfold, {self.how}, [self.ends, self.alpha], queue=False)
        gradio.on(
            [self.mask.upload, self.mask.clear],
            self._take_mask,
            {self.mask},
            [self.masked],
            preprocess=False,
            **widgets.LATEST,
        )
        chosen = [self.chosen, self.target]
        self.adapters.select(self._choose, {self.target}, chosen, **widgets.EACH)

    def refresh(self, values: Values, request: gradio.Request) -> dict[Any, Any]:
        """Return the adapters that can be chosen, which one is, and the prompt that goes with it."""
        session = self._workspace.session(request)
        everything = self._workspace.library.entries()
        entries = [entry for entry in everything if not entry.mismatch]
        if session.adapter not in {entry.name for entry in everything}:
            session.adapter = entries[0].name if entries else ""
        if not session.adapter:
            empty = gallery.filled([], "")
            return {self.adapters: empty, self.chosen: markup.note(_EMPTY, "warn")}
        shown = {self.adapters: gallery.filled(entries, session.adapter)}
        return {**shown, **self._chosen(session, values[self.target])}

    def take_up(self, recipe: Recipe) -> dict[Any, Any]:
        """Return what the widgets show of a recipe."""
        shown = {
            self.target: recipe.target,
            self.seeds: ", ".join(map(str, recipe.seeds)),
            **{self.settings[name]: getattr(recipe.settings, name) for name in self.settings},
        }
        if len(recipe.alphas) == 1:
            alpha = gradio.Number(value=recipe.alphas[0], visible=True)
            return {
                **shown,
                self.how: _ONE,
                self.ends: gradio.Row(visible=False),
                self.alpha: alpha,
            }
        return {
            **shown,
            self.how: _SWEEP,
            self.ends: gradio.Row(visible=True),
            self.alpha: gradio.Number(visible=False),
            self.low: min(recipe.alphas),
            self.high: max(recipe.alphas),
            self.count: len(recipe.alphas),
        }

    def mask_note(self, session: Session) -> str:
        """Return what to say, beside the button, of a mask that is on or was refused."""
        if session.mask_error:
            return markup.note(session.mask_error, "bad")
        return markup.note(_MASKED) if session.mask else ""

    def sweep(self, session: Session, values: Values) -> Sweep:
        """Return what is to be made, everything checked that can be checked before.

        Args:
            session: Whose edit it is: what has been chosen and uploaded.
            values: What the widgets hold.

        Raises:
            ImagicError: When it cannot be made.
        """
        if not session.adapter:
            raise AdapterError(_EMPTY)
        if session.mask_error:
            raise ImageError(f"{session.mask_error} Remove the mask, or choose another.")
        adapter = self._workspace.library.load(session.adapter)
        target = (values[self.target] or "").strip()
        if not (target or adapter.record.target):
            raise PromptError("The adapter was fitted without a target; say what it should show.")
        seeds = widgets.seeds(values[self.seeds], _SEED)
        sweep = Sweep(
            adapter=adapter,
            target=target,
            alphas=self._alphas(values),
            seeds=seeds,
            settings=widgets.read(EditSettings, self.settings, values, seed=seeds[0]),
            mask=session.mask,
        )
        if len(sweep) > _MOST:
            raise SettingsError(
                f"{len(sweep)} pictures were asked for, allowed are {_MOST}; lower the count, or "
                "give fewer seeds."
            )
        return sweep

    def _alphas(self, values: Values) -> tuple[float, ...]:
        """Return the strengths that were asked for; none where one is to be found."""
        if values[self.how] == _FOUND:
            return ()
        if values[self.how] == _ONE:
            return (widgets.number("alpha", ALPHA, values[self.alpha]),)
        return widgets.spread(
            widgets.number("from", ALPHA, values[self.low]),
            widgets.number("to", ALPHA, values[self.high]),
            widgets.number("count", _COUNT, values[self.count]),
        )

    def _unfold(self, values: Values) -> dict[Any, Any]:
        """Show what the chosen way to give strengths needs."""
        how = values[self.how]
        return {
            self.ends: gradio.Row(visible=how == _SWEEP),
            self.alpha: gradio.Number(visible=how == _ONE),
        }

    def _chosen(self, session: Session, held: str) -> dict[Any, Any]:
        """Return in words which adapter is chosen, and the prompt that goes with it."""
        try:
            entry = self._workspace.library.find(session.adapter)
        except AdapterError as error:
            return {self.chosen: markup.note(str(error), "bad")}
        record = entry.record
        mismatch = markup.note(entry.mismatch, "bad") if entry.mismatch else ""
        facts = [
            ("adapter", entry.name),
            ("shows", record.source),
            ("fitted for", record.target),
            ("size", f"{record.width} x {record.height}"),
        ]
        prompt = session.next_prompt(held or "", record.target)
        return {
            self.chosen: mismatch + markup.facts(facts),
            self.target: gradio.skip() if prompt is None else prompt,
        }

    def _choose(
        self, values: Values, picked: gradio.SelectData, request: gradio.Request
    ) -> dict[Any, Any]:
        """Choose the adapter that was clicked."""
        session = self._workspace.session(request)
        session.adapter = gallery.name_of(picked)
        return self._chosen(session, values[self.target])

    def _take_mask(self, values: Values, request: gradio.Request) -> dict[Any, Any]:
        """Take in a mask that was dropped, pasted or chosen."""
        session, sent = self._workspace.session(request), values[self.mask]
        session.mask, session.mask_error = None, ""
        if sent is not None:
            try:
                session.mask = self._workspace.uploads.image(sent)
            except ImageError as error:
                session.mask_error = str(error)
        return {self.masked: self.mask_note(session)}
