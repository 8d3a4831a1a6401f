"""The part of the page that fits: a picture, how it is cropped, what it shows, and the fit itself."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import gradio
from PIL import Image, ImageEnhance

from imagic_lora.errors import ImageError, ImagicError, PromptError
from imagic_lora.images.canvas import crop_box
from imagic_lora.images.reading import open_image
from imagic_lora.settings import FitSettings, Option
from imagic_lora.ui import markup, widgets
from imagic_lora.ui.jobs.fit import Fitting, make_adapter
from imagic_lora.ui.jobs.queue import View
from imagic_lora.ui.sessions import Session
from imagic_lora.ui.studio import Studio, without_folder

_ZOOM = Option("how many times narrower than it could be", low=1, high=100, usual=(1, 4))
_ACROSS = Option("where it lies: 0 is at the left, 1 at the right", low=0, high=1, usual=(0, 1))
_DOWN = Option("where it lies: 0 is at the top, 1 at the bottom", low=0, high=1, usual=(0, 1))
_DIMMED = 0.35
_WAITING = "Drop or paste a picture, say what it shows and what it should show, then press Fit."
_READY = "Press Fit, or the Enter key in one of the prompts."
_STAYS = "What was learned is kept: the adapter is in the library."


class FitTab:
    """Layout and wiring of the fit.

    Args:
        studio: What all parts share.
    """

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        example = studio.example
        with gradio.Row(equal_height=False):
            with gradio.Column(scale=5, min_width=320):
                self.picture = gradio.Image(
                    str(example.picture) if example else None,
                    type="filepath",
                    sources=["upload", "clipboard"],
                    label="Picture",
                    height=260,
                    elem_id="fit-picture",
                    elem_classes=["picture"],
                    buttons=[],
                    placeholder="Drop a picture here, paste one, or click to choose",
                )
                self.source = gradio.Textbox(
                    example.source if example else "",
                    label="What the picture shows",
                    info="optional; left empty, it is taken from the words below",
                    placeholder="a few plain words",
                    lines=1,
                    max_lines=3,
                    elem_id="fit-source",
                )
                self.target = gradio.Textbox(
                    example.target if example else "",
                    label="What it should show",
                    placeholder="the same words, and what is to be different",
                    lines=1,
                    max_lines=3,
                    elem_id="fit-target",
                )
                with gradio.Row():
                    self.run = gradio.Button("Fit", variant="primary", elem_id="fit-run")
                    self.stop = gradio.Button(
                        "Stop and keep", interactive=False, elem_id="fit-stop"
                    )
                with gradio.Accordion("Settings of the fit", open=False):
                    self.form = widgets.form(FitSettings, prefix="fit")
                with gradio.Accordion("Memory", open=False, elem_id="fit-memory"):
                    gradio.HTML(self._plan())
            with gradio.Column(scale=6, min_width=320):
                self.cropped = gradio.Image(
                    format="png",
                    label="What will be fitted",
                    interactive=False,
                    height=260,
                    buttons=[],
                    elem_id="fit-cropped",
                    elem_classes=["picture"],
                )
                with gradio.Accordion("Change the crop", open=False):
                    self.zoom = widgets.widget("zoom", _ZOOM, 1.0, elem_id="crop-zoom")
                    self.across = widgets.widget("across", _ACROSS, 0.5, elem_id="crop-across")
                    self.down = widgets.widget("down", _DOWN, 0.5, elem_id="crop-down")
                self.status = gradio.HTML(markup.note(_WAITING), elem_id="fit-status")
                with gradio.Row(visible=False) as self.after:
                    self.edit = gradio.Button("Edit it", variant="primary", elem_id="fit-edit")
                    self.download = gradio.DownloadButton(
                        "Download the adapter", elem_id="fit-download"
                    )
                self.preview = gradio.Image(
                    format="png",
                    label="As the fit redraws it from noise",
                    interactive=False,
                    visible=False,
                    height=220,
                    buttons=[],
                    elem_id="fit-preview",
                    elem_classes=["picture"],
                )
        self.crop = [self.zoom, self.across, self.down, self.form["width"], self.form["height"]]
        self.shown = [self.status, self.preview, self.run, self.stop, self.after, self.download]

    def wire(self) -> Any:
        """Connect the widgets; return the event that ends a fit."""
        gradio.on(
            [self.picture.upload, self.picture.clear],
            self._take,
            [self.picture, *self.crop],
            [self.cropped, self.status],
            preprocess=False,
            **widgets.LATEST,
        )
        gradio.on(
            [widget.change for widget in self.crop],
            self.frame,
            self.crop,
            [self.cropped, self.status],
            show_progress="hidden",
            trigger_mode="always_last",
        )
        self.stop.click(self._stop, outputs=[self.stop], queue=False)
        return gradio.on(
            [self.run.click, self.target.submit, self.source.submit],
            self._run,
            [self.source, self.target, self.zoom, self.across, self.down, *self.form.values()],
            self.shown,
            concurrency_limit=None,
            show_progress="hidden",
        )

    def frame(self, request: gradio.Request, *values: Any) -> tuple[Any, Any]:
        """Return the picture with what will be cropped dimmed, and what to say of it."""
        path = self._studio.session(request).picture
        if path is None:
            return None, markup.note(_WAITING)
        try:
            image = open_image(path)
            box, (width, height) = self._box(image, *values)
        except ImagicError as error:
            return None, markup.note(str(error), "bad")
        shown = ImageEnhance.Brightness(image).enhance(_DIMMED)
        shown.paste(image.crop(box), box[:2])
        label = f"What will be fitted, at {width} x {height} pixels"
        return gradio.Image(shown, label=label), markup.note(_READY)

    def watch(self, request: gradio.Request) -> Iterator[Sequence[Any]]:
        """Yield what is to be seen of a session's fit, if there is one."""
        job = self._studio.session(request).fit
        if job is None:
            yield [gradio.skip()] * len(self.shown)
            return
        shown = None
        for view in self._studio.desk.watch(job):
            found = self._show(view)
            preview = view.state.preview if view.state else None
            if preview is shown and not view.done:
                found[1] = gradio.skip()  # a picture is sent once, not at every step
            shown = preview
            yield found

    def _take(self, request: gradio.Request, sent: Any, *crop: Any) -> tuple[Any, Any]:
        """Take in an image that was dropped, pasted or chosen."""
        session = self._studio.session(request)
        session.picture = None
        if sent is None:
            return None, markup.note(_WAITING)
        try:
            path = self._studio.uploaded_image(sent)
            open_image(path)
        except ImageError as error:
            return None, markup.note(without_folder(error, sent), "bad")
        session.picture = path
        return self.frame(request, *crop)

    def _box(
        self, image: Image.Image, zoom: Any, across: Any, down: Any, *sides: Any
    ) -> tuple[tuple[int, int, int, int], tuple[int, int]]:
        """Return what is cut out of an image, and the canvas that it is fitted on."""
        held = widgets.read(FitSettings, ("width", "height"), sides)
        canvas = self._studio.editor.canvas(image.size, held.width, held.height)
        centre = widgets.number("across", _ACROSS, across), widgets.number("down", _DOWN, down)
        zoom = widgets.number("zoom", _ZOOM, zoom)
        return crop_box(image.size, canvas, centre=centre, zoom=zoom), canvas

    def _run(self, request: gradio.Request, source: str, target: str, *values: Any) -> Any:
        """Check what was given, get in line, and yield how far the fit is."""
        session = self._studio.session(request)
        try:
            work = self._work(session, source, target, values)
        except ImagicError as error:
            yield self._said(markup.note(str(error), "bad"))
            return
        session.fit = self._studio.desk.submit(work)
        yield from self.watch(request)

    def _work(self, session: Session, source: str, target: str, values: Sequence[Any]) -> Any:
        """Return the fit as a job, everything checked that can be checked before."""
        if session.picture is None:
            raise ImageError("There is no picture to fit; drop one, paste one, or choose one.")
        caption, target = (source or "").strip() or None, (target or "").strip()
        if not (caption or target):
            raise PromptError(
                "A fit needs words; say what the picture shows, or what it should show."
            )
        settings = widgets.read(FitSettings, tuple(self.form), values[3:])
        image = open_image(session.picture)
        box, _ = self._box(image, *values[:3], settings.width, settings.height)
        fit = partial(
            self._studio.editor.fit,
            image.crop(box),
            target=target,
            source=caption,
            settings=settings,
        )
        return partial(make_adapter, fit, self._studio.shelf, session, target or source)

    def _show(self, view: View) -> list[Any]:
        """Return what the widgets show of a fit."""
        state = view.state or Fitting()
        if view.done and state.name:
            words = markup.note(f"{state.words} {_STAYS}", "good")
            text = words + markup.notes(view.notes) + markup.curve(state.losses)
            return self._said(text, state.preview, gradio.Row(visible=True), str(state.file))
        if view.done:
            words = markup.note(view.error or "Stopped before anything was learned.", "bad")
            return self._said(words + markup.notes(view.notes))
        text = markup.waiting(view.before) if state.progress is None else markup.bar(state.progress)
        text += markup.notes(view.notes) + markup.curve(state.losses)
        shown = gradio.Image(state.preview, visible=state.preview is not None)
        ready = not view.stopping
        return [
            text,
            shown,
            gradio.Button(interactive=False),
            gradio.Button("Stop and keep" if ready else "Stopping", interactive=ready),
            gradio.Row(visible=False),
            gradio.skip(),
        ]

    def _said(
        self,
        text: str,
        preview: Image.Image | None = None,
        after: Any = None,
        download: Any = None,
    ) -> list[Any]:
        """Return what the widgets show once a fit is over."""
        return [
            text,
            gradio.Image(preview, visible=preview is not None),
            gradio.Button(interactive=True),
            gradio.Button("Stop and keep", interactive=False),
            after or gradio.Row(visible=False),
            download,
        ]

    def _stop(self, request: gradio.Request) -> Any:
        """Ask a session's fit to end and keep what it has."""
        job = self._studio.session(request).fit
        if job is not None:
            job.stop()
        return gradio.Button("Stopping", interactive=False)

    def _plan(self) -> str:
        """Return what the work will need, as a table, or what it works in where none is known."""
        plan = self._studio.editor.plan
        pairs = [("device", str(plan.device)), ("precision", str(plan.dtype).rpartition(".")[2])]
        rows = self._studio.plan
        if not rows:
            return markup.facts(
                [*pairs, ("levers", ", ".join(e.name for e in plan.levers) or "none")]
            )
        return markup.facts(pairs) + markup.table(("phase", "needs", "slower", "levers"), rows)
