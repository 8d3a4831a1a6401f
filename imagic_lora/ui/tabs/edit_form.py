"""How an edit is made: strengths, seeds, a mask, and all other settings."""

from collections.abc import Callable
from typing import Any

import gradio
from PIL import Image

from imagic_lora.editing.recipe import Recipe
from imagic_lora.editing.spacing import AlphaRange
from imagic_lora.errors import SettingsError
from imagic_lora.settings import ALPHA, EditSettings, Option, options
from imagic_lora.ui import markup, widgets
from imagic_lora.ui.jobs.edit import Sweep
from imagic_lora.ui.presets import Preset, presets
from imagic_lora.ui.widgets import Values
from imagic_lora.ui.workspace import Workspace

_MOST = 64
"""Pictures of one sweep: what a person can look over."""

_SEED = dict(options(EditSettings))["seed"]
_COUNT = Option("how many strengths", kind=int, low=1, high=_MOST)
_SWEEP, _ONE, _FOUND = "a sweep", "one strength", "found for me"


class EditForm:
    """The widgets that say how an edit is made, laid out where they are made.

    Args:
        workspace: What all parts share.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        with gradio.Row(elem_classes=["presets"]):
            gradio.HTML(markup.aside("How far it goes"))
            self.presets = {
                preset: gradio.Button(
                    preset.name, size="sm", min_width=60, elem_id=f"preset-{preset.name}"
                )
                for preset in presets(self._span)
            }
        with gradio.Accordion("Strength and seeds", open=False):
            self._strengths()
        with gradio.Accordion("More settings of the edit", open=False):
            self.settings = widgets.form(EditSettings, skip=("seed",), prefix="edit")

    def _strengths(self) -> None:
        """Lay out what asks for strengths and seeds."""
        low, high = self._span
        self.how = gradio.Radio(
            [_SWEEP, _ONE, _FOUND],
            value=_SWEEP,
            label="alpha, the strength of the words",
            info="0 is the input, 1 what they say; above it goes past them, below 0 away from them",
            elem_id="edit-how",
        )
        with gradio.Row(elem_classes=["tight"]) as self.ends:
            self.low = gradio.Number(low, label="from", min_width=60, elem_id="edit-from")
            self.high = gradio.Number(high, label="to", min_width=60, elem_id="edit-to")
            self.count = gradio.Number(5, label="count", min_width=60, elem_id="edit-count")
            self.even = gradio.Checkbox(
                False,
                label="in even steps",
                info="else where the picture changes the most",
                min_width=60,
                elem_id="edit-even",
            )
        self.alpha = gradio.Number(
            1.0, label="alpha", step=0.1, visible=False, elem_id="edit-alpha"
        )
        self.seeds = gradio.Textbox(
            str(EditSettings.seed),
            label="seeds",
            info="a row of pictures for each; -1 draws one",
            elem_id="edit-seeds",
        )

    @property
    def _span(self) -> tuple[float, float]:
        """The smallest and the largest strength that the page begins with."""
        welcome = self._workspace.welcome
        alphas = welcome.alphas if welcome else ALPHA.usual or (0, 1)
        return min(alphas), max(alphas)

    @property
    def asked(self) -> set[Any]:
        """The widgets that `sweep` reads."""
        strengths = (self.how, self.alpha, self.low, self.high, self.count, self.even)
        return {self.seeds, *strengths, *self.settings.values()}

    @property
    def held(self) -> set[Any]:
        """The widgets that a recipe fills."""
        return {self.ends, *self.asked}

    @property
    def entered(self) -> list[Any]:
        """The events of an Enter key that asks for the edit."""
        return [self.seeds.submit, self.settings["negative"].submit]

    def wire(self) -> None:
        """Connect the widgets."""
        self.how.change(self._unfold, {self.how}, [self.ends, self.alpha], **widgets.QUIET)
        for preset, button in self.presets.items():
            values = self._held(preset)
            button.click(_filling(values), outputs=list(values), **widgets.QUIET)

    def take_up(self, recipe: Recipe) -> dict[Any, Any]:
        """Return what the widgets show of a recipe."""
        one = len(recipe.alphas) == 1
        shown = {
            self.seeds: ", ".join(map(str, recipe.seeds)),
            **{self.settings[name]: getattr(recipe.settings, name) for name in self.settings},
            self.how: _ONE if one else _SWEEP,
            self.ends: gradio.Row(visible=not one),
        }
        if one:
            return {**shown, self.alpha: gradio.Number(value=recipe.alphas[0], visible=True)}
        low, high, count = min(recipe.alphas), max(recipe.alphas), len(recipe.alphas)
        return {
            **shown,
            self.alpha: gradio.Number(visible=False),
            self.low: low,
            self.high: high,
            self.count: count,
            self.even: tuple(sorted(recipe.alphas)) == widgets.spread(low, high, count),
        }

    def _held(self, preset: Preset) -> dict[Any, Any]:
        """Return what the widgets hold of a preset."""
        return {
            self.how: _SWEEP,
            self.low: preset.low,
            self.high: preset.high,
            self.settings["focus"]: preset.focus,
        }

    def sweep(self, target: str, mask: Image.Image | None, values: Values) -> Sweep:
        """Return what is to be made, everything checked that can be checked before.

        Args:
            target: What to edit towards.
            mask: Where the edit may change the picture, or None for everywhere.
            values: What the widgets hold.

        Raises:
            ImagicError: When it cannot be made.
        """
        seeds = widgets.seeds(values[self.seeds], _SEED)
        sweep = Sweep(
            target=target,
            alphas=self._alphas(values),
            seeds=seeds,
            settings=widgets.read(EditSettings, self.settings, values, seed=seeds[0]),
            mask=mask,
        )
        return checked(sweep)

    def _alphas(self, values: Values) -> tuple[float, ...] | AlphaRange:
        """Return the strengths that were asked for; none where one is to be found."""
        if values[self.how] == _FOUND:
            return ()
        if values[self.how] == _ONE:
            return (widgets.number("alpha", ALPHA, values[self.alpha]),)
        low, high = sorted(
            widgets.number(name, ALPHA, values[widget])
            for name, widget in (("from", self.low), ("to", self.high))
        )
        count = widgets.number("count", _COUNT, values[self.count])
        if values[self.even] or count == 1:
            return widgets.spread(low, high, count)
        return AlphaRange(low=low, high=high, count=count)

    def _unfold(self, values: Values) -> dict[Any, Any]:
        """Show what the chosen way to give strengths needs."""
        how = values[self.how]
        return {
            self.ends: gradio.Row(visible=how == _SWEEP),
            self.alpha: gradio.Number(visible=how == _ONE),
        }


def _filling(values: dict[Any, Any]) -> Callable[[], dict[Any, Any]]:
    """Return what fills widgets with values."""
    return lambda: values


def checked(sweep: Sweep) -> Sweep:
    """Return a sweep that a person can look over.

    Raises:
        SettingsError: When it has too many pictures.
    """
    count = len(sweep) + len(sweep.known)
    if count > _MOST:
        raise SettingsError(
            f"{count} pictures were asked for, allowed are {_MOST}; lower the count, or give fewer "
            "seeds."
        )
    return sweep


def two(text: str) -> tuple[float, float]:
    """Return the strengths of two pictures, which are given with a blank between.

    Raises:
        SettingsError: When they are no two strengths that differ.
    """
    try:
        low, high = sorted(float(word) for word in text.split())
    except ValueError as error:
        raise SettingsError(
            f"The strengths were {text[:80]!r}, and two are needed; choose another picture."
        ) from error
    for each in (low, high):
        ALPHA.check("strength", each)
    if low == high:
        raise SettingsError("Both pictures have the same strength; choose another one.")
    return low, high
