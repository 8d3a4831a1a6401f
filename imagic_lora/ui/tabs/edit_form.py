"""What an edit is asked for by: an adapter, a prompt, strengths, seeds, and all other settings."""

from typing import Any, Literal

import gradio
from PIL import Image

from imagic_lora.errors import AdapterError, ImageError, PromptError, SettingsError
from imagic_lora.images.reading import open_image
from imagic_lora.settings import ALPHA, EditSettings, options
from imagic_lora.ui import markup, widgets
from imagic_lora.ui.jobs.edit import Plan
from imagic_lora.ui.restore import Recipe
from imagic_lora.ui.sessions import Session
from imagic_lora.ui.studio import Studio, without_folder

_MOST = 64
"""Pictures of one sweep: what a person can look over."""

_EMPTY = "There is no adapter yet: fit a picture first, or bring one in the library."
_SEED = dict(options(EditSettings))["seed"]
_SHOWN = ("negative",)
"""Settings that are shown at once; all others are folded away."""

_SWEEP, _ONE, _FOUND = "a sweep", "one strength", "found for me"


class EditForm:
    """The widgets that ask for an edit, laid out where it is made.

    Args:
        studio: What all parts share.
    """

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        low, high = ALPHA.usual or (0, 1)
        alphas = studio.example.alphas if studio.example else (low, high)
        self.adapters = gradio.Gallery(
            label="Adapter",
            columns=4,
            fit_columns=False,
            height=170,
            allow_preview=False,
            interactive=False,
            buttons=[],
            object_fit="cover",
            elem_id="edit-adapters",
            elem_classes=["picture", "thumbnails"],
        )
        self.chosen = gradio.HTML(elem_id="edit-chosen")
        self.target = widgets.target("edit-target")
        self.how = gradio.Radio(
            [_SWEEP, _ONE, _FOUND], value=_SWEEP, show_label=False, container=False, elem_id="how"
        )
        with gradio.Row(elem_classes=["tight"]) as self.sweep:
            self.low = gradio.Number(min(alphas), label="from", min_width=80)
            self.high = gradio.Number(max(alphas), label="to", min_width=80)
            self.count = gradio.Number(5, label="count", precision=0, min_width=80)
        self.alpha = widgets.widget("alpha", ALPHA, 1.0, visible=False, elem_id="edit-alpha")
        self.seeds = gradio.Textbox(
            str(EditSettings.seed),
            label="seeds",
            info="a row of pictures for each; several with commas between them",
            elem_id="edit-seeds",
        )
        first = widgets.form(EditSettings, only=_SHOWN, prefix="edit")
        self.form = first
        self.strengths = [self.how, self.alpha, self.low, self.high, self.count]

    def fold(self) -> None:
        """Lay out what is folded away: the other settings, and the place to drop a picture."""
        with gradio.Accordion("More settings", open=False):
            rest = widgets.form(EditSettings, skip=(*_SHOWN, "seed"), prefix="edit")
        self.form |= rest
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
            self.masked = gradio.HTML()
        self.drop = gradio.File(
            label="Take up the settings of a picture made here",
            file_count="single",
            height=90,
            elem_id="edit-drop",
        )

    @property
    def held(self) -> list[Any]:
        """The widgets that a recipe fills."""
        return [self.target, self.seeds, self.sweep, *self.strengths, *self.form.values()]

    @property
    def asked(self) -> list[Any]:
        """The widgets that `plan` reads, after the adapter's name."""
        return [self.target, self.seeds, *self.strengths, *self.form.values()]

    @property
    def entered(self) -> list[Any]:
        """The events of an Enter key that asks for the edit."""
        return [self.target.submit, self.seeds.submit, self.form["negative"].submit]

    def wire(self) -> None:
        """Connect the widgets."""
        self.how.change(
            lambda how: (gradio.Row(visible=how == _SWEEP), gradio.Slider(visible=how == _ONE)),
            [self.how],
            [self.sweep, self.alpha],
            queue=False,
        )
        gradio.on(
            [self.mask.upload, self.mask.clear],
            self._take_mask,
            [self.mask],
            [self.masked],
            preprocess=False,
            **widgets.LATEST,
        )
        self.adapters.select(self._choose, outputs=[self.chosen, self.target], **widgets.EACH)

    def refresh(self, request: gradio.Request) -> tuple[Any, Any]:
        """Return the adapters that can be chosen, and which one is."""
        session = self._studio.session(request)
        everything = self._studio.shelf.entries()
        entries = [entry for entry in everything if not entry.mismatch]
        names = [entry.name for entry in entries]
        if session.adapter not in {entry.name for entry in everything}:
            session.adapter = names[0] if names else ""
        if not session.adapter:
            return gradio.Gallery([], visible=False), markup.note(_EMPTY, "warn")
        pictures = [(entry.thumbnail or blank(), entry.name) for entry in entries]
        index = names.index(session.adapter) if session.adapter in names else None
        gallery = gradio.Gallery(pictures, visible=bool(pictures), selected_index=index)
        return gallery, self._about(session.adapter)

    def take_up(self, recipe: Recipe) -> dict[Any, Any]:
        """Return what the widgets show of a recipe."""
        low, high = min(recipe.alphas), max(recipe.alphas)
        many = len(recipe.alphas) > 1
        return {
            self.target: recipe.target,
            self.seeds: ", ".join(map(str, recipe.seeds)),
            self.how: _SWEEP if many else _ONE,
            self.sweep: gradio.Row(visible=many),
            self.alpha: gradio.Slider(low, visible=not many),
            self.low: low,
            self.high: high,
            self.count: len(recipe.alphas),
            **{widget: getattr(recipe.settings, name) for name, widget in self.form.items()},
        }

    def plan(self, session: Session, target: str, seeds: str, *values: Any) -> Plan:
        """Return what is to be made, everything checked that can be checked before.

        Args:
            session: Whose edit it is: what has been chosen and uploaded.
            target: What to edit towards, or "" for the fit's own.
            seeds: Seeds with commas between them.
            values: What the strengths and the other settings hold.

        Raises:
            ImagicError: When it cannot be made.
        """
        if not session.adapter:
            raise AdapterError(_EMPTY)
        adapter, target = self._studio.shelf.load(session.adapter), (target or "").strip()
        if not (target or adapter.record.target):
            raise PromptError("The adapter was fitted without a target; say what it should show.")
        found = widgets.seeds(seeds, _SEED)
        settings = widgets.read(EditSettings, tuple(self.form), values[5:], seed=found[0])
        alphas = _alphas(*values[:5])
        plan = Plan(adapter, target, alphas, found, settings, session.mask)
        if len(plan) > _MOST:
            raise SettingsError(
                f"{len(plan)} pictures were asked for, allowed are {_MOST}; lower the count, or "
                "give fewer seeds."
            )
        return plan

    def _about(self, name: str) -> str:
        """Return in words which adapter is chosen."""
        try:
            entry = self._studio.shelf.find(name)
        except AdapterError as error:
            return markup.note(str(error), "bad")
        record = entry.record
        mismatch = markup.note(entry.mismatch, "bad") if entry.mismatch else ""
        return mismatch + markup.facts(
            [
                ("adapter", entry.name),
                ("shows", record.source),
                ("fitted for", record.target),
                ("size", f"{record.width} x {record.height}"),
            ]
        )

    def _take_mask(self, sent: Any, request: gradio.Request) -> str:
        """Take in a mask that was dropped, pasted or chosen."""
        session = self._studio.session(request)
        session.mask = None
        if sent is None:
            return ""
        try:
            path = self._studio.uploaded_image(sent)
            open_image(path)
        except ImageError as error:
            return markup.note(without_folder(error, sent), "bad")
        session.mask = path
        return ""

    def _choose(self, picked: gradio.SelectData, request: gradio.Request) -> tuple[Any, Any]:
        """Choose the adapter that was clicked; its own target is the first to try."""
        session = self._studio.session(request)
        session.adapter = str(picked.value["caption"])
        try:
            target = self._studio.shelf.find(session.adapter).record.target
        except AdapterError:
            target = ""
        return self._about(session.adapter), target or gradio.skip()


def _alphas(
    how: str, alpha: Any, low: Any, high: Any, count: Any
) -> tuple[float | Literal["auto"], ...]:
    """Return the strengths that were asked for."""
    if how == _FOUND:
        return ("auto",)
    if how == _ONE:
        return (widgets.number("alpha", ALPHA, alpha),)
    ends = (widgets.number("from", ALPHA, low), widgets.number("to", ALPHA, high))
    if not isinstance(count, int) or not 1 <= count <= _MOST:
        raise SettingsError(
            f"The count was {count!r}, allowed is a whole number from 1 to {_MOST}."
        )
    return widgets.spread(*ends, count)


def blank() -> Image.Image:
    """Return what stands for an adapter without a thumbnail."""
    return Image.new("RGB", (64, 64), "#b9b6ae")
