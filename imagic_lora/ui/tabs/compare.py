"""The part of the page that compares: the same prompt by an edit and by plain img2img."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import gradio

from imagic_lora.errors import AdapterError, ImagicError, PromptError
from imagic_lora.settings import (
    ALPHA,
    NOISE,
    STRENGTH,
    EditSettings,
    SamplingSettings,
    options,
)
from imagic_lora.ui import markup, widgets
from imagic_lora.ui.jobs.compare import Comparing, Duel, make_both
from imagic_lora.ui.jobs.pictures import Prints
from imagic_lora.ui.jobs.queue import View
from imagic_lora.ui.restore import Recipe
from imagic_lora.ui.studio import Studio

_WAITING = "Say what it should show, then press Compare: the adapter is the one chosen for edits."
_STRENGTH = 0.6
_SHOWN = ("negative", "seed")
"""Settings that are shown at once; all others are folded away."""


class CompareTab:
    """Layout and wiring of the comparison.

    Args:
        studio: What all parts share.
    """

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        with gradio.Row(equal_height=False):
            with gradio.Column(scale=5, min_width=320):
                self.target = widgets.target("compare-target")
                self.alpha = widgets.widget("alpha", ALPHA, 1.0, elem_id="compare-alpha")
                self.strength = widgets.widget(
                    "strength", STRENGTH, _STRENGTH, elem_id="compare-strength"
                )
                self.noise = widgets.widget("noise", NOISE, 0.0, elem_id="compare-noise")
                first = widgets.form(EditSettings, only=_SHOWN, prefix="compare")
                with gradio.Row():
                    self.run = gradio.Button("Compare", variant="primary", elem_id="compare-run")
                    self.stop = gradio.Button("Stop", interactive=False, elem_id="compare-stop")
                with gradio.Accordion("More settings", open=False):
                    rest = widgets.form(EditSettings, skip=_SHOWN, prefix="compare")
                self.form = {**first, **rest}
            with gradio.Column(scale=7, min_width=320):
                self.status = gradio.HTML(markup.note(_WAITING), elem_id="compare-status")
                with gradio.Row(elem_classes=["three"]):
                    self.before = _picture("Input", "compare-input")
                    self.edit = _picture("Edit", "compare-edit")
                    self.variation = _picture("img2img", "compare-img2img")
                with gradio.Row(visible=False) as self.downloads:
                    self.one = gradio.DownloadButton("The edit", size="md")
                    self.other = gradio.DownloadButton("The img2img picture", size="md")
        self.held = [self.target, self.strength, self.noise, *self.form.values()]
        self.shown = [
            self.status,
            self.before,
            self.edit,
            self.variation,
            self.run,
            self.stop,
            self.downloads,
            self.one,
            self.other,
        ]

    def wire(self) -> None:
        """Connect the widgets."""
        self.stop.click(self._stop, outputs=[self.stop], queue=False)
        gradio.on(
            [self.run.click, self.target.submit, self.form["negative"].submit],
            self._run,
            [self.target, self.alpha, self.strength, self.noise, *self.form.values()],
            self.shown,
            concurrency_limit=None,
            show_progress="hidden",
        )

    def take_up(self, recipe: Recipe) -> dict[Any, Any]:
        """Return what the widgets show of a recipe."""
        names = dict(options(SamplingSettings))
        return {
            self.target: recipe.target,
            self.strength: recipe.strength,
            self.noise: recipe.noise,
            **{self.form[name]: getattr(recipe.settings, name) for name in names},
        }

    def watch(self, request: gradio.Request) -> Iterator[Sequence[Any]]:
        """Yield what is to be seen of a session's comparison, if there is one."""
        job = self._studio.session(request).comparison
        if job is None:
            yield [gradio.skip()] * len(self.shown)
            return
        for view in self._studio.desk.watch(job):
            yield self._show(view, view.state or Comparing())

    def _run(self, request: gradio.Request, target: str, *values: Any) -> Any:
        """Check what was given, get in line, and yield both pictures as they are made."""
        session = self._studio.session(request)
        try:
            duel = self._duel(session.adapter, (target or "").strip(), *values)
        except ImagicError as error:
            yield markup.note(str(error), "bad"), *[gradio.skip()] * (len(self.shown) - 1)
            return
        prints = Prints(session.folder)
        session.comparison = self._studio.desk.submit(
            partial(make_both, self._studio.editor, duel, prints)
        )
        yield from self.watch(request)

    def _duel(
        self, name: str, target: str, alpha: Any, strength: Any, noise: Any, *values: Any
    ) -> Duel:
        """Return what is to be made, everything checked that can be checked before."""
        if not name:
            raise AdapterError("There is no adapter yet: fit a picture first.")
        adapter = self._studio.shelf.load(name)
        target = target or adapter.record.target
        if not target:
            raise PromptError("The adapter was fitted without a target; say what it should show.")
        return Duel(
            adapter,
            target,
            widgets.number("alpha", ALPHA, alpha),
            widgets.number("strength", STRENGTH, strength),
            widgets.number("noise", NOISE, noise),
            widgets.read(EditSettings, tuple(self.form), values),
        )

    def _show(self, view: View, state: Comparing) -> Sequence[Any]:
        """Return what the widgets show of a comparison."""
        pictures = [gradio.Image(str(state.before)) if state.before else gradio.skip()]
        files: list[Any] = []
        for kind, made in zip(("Edit", "img2img"), (*state.made, None, None), strict=False):
            label = f"{kind}: {made.caption}" if made else kind
            pictures.append(gradio.Image(str(made.path) if made else None, label=label))
            files.append(str(made.path) if made else None)
        if view.done:
            words = view.error or ("" if len(state.made) > 1 else "Stopped.")
            said = markup.note(words or "Done.", "bad" if words else "good")
        elif state.progress:
            said = markup.bar(state.progress, state.label)
        else:
            said = markup.waiting(view.before)
        return (
            said + markup.notes(view.notes),
            *pictures,
            gradio.Button(interactive=view.done),
            gradio.Button(interactive=not view.done and not view.stopping),
            gradio.Row(visible=view.done and bool(state.made)),
            *files,
        )

    def _stop(self, request: gradio.Request) -> Any:
        """Ask a session's comparison to end; what is made stays."""
        job = self._studio.session(request).comparison
        if job is not None:
            job.stop()
        return gradio.Button(interactive=False)


def _picture(label: str, name: str) -> Any:
    """Return a place for one of the three pictures."""
    return gradio.Image(
        label=label,
        type="filepath",
        interactive=False,
        buttons=["fullscreen"],
        height=300,
        min_width=120,
        elem_id=name,
        elem_classes=["picture"],
    )
