"""The part of the page that fits: a picture, how it is cropped, what it shows, and the fit itself."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio
from PIL import Image, ImageEnhance

from imagic_lora.adapter import Adapter
from imagic_lora.errors import ImageError, ImagicError, PromptError
from imagic_lora.image import crop_box, open_image
from imagic_lora.progress import Progress, StopFit
from imagic_lora.settings import FitSettings
from imagic_lora.ui import markup, widgets
from imagic_lora.ui.desk import Job, View
from imagic_lora.ui.sessions import Session
from imagic_lora.ui.studio import Studio, without_folder

_PREVIEW_SECONDS = 3
"""Time between two previews; each takes about as long as one step."""

_DIMMED = 0.35
_WAITING = "Drop or paste a picture, say what it shows and what it should show, then press Fit."
_STAYS = "What was learned is kept: the adapter is in the library."


@dataclass(frozen=True)
class Fitting:
    """How far a fit is.

    Attributes:
        progress: Its last step.
        losses: The losses of all steps.
        preview: The picture as it was last drawn, or None.
        name: The adapter's name, once it is saved.
        words: What was done, once it is saved.
    """

    progress: Progress | None = None
    losses: tuple[float, ...] = ()
    preview: Image.Image | None = None
    name: str = ""
    words: str = ""


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
                    buttons=[],
                    placeholder="Drop a picture here, paste one, or click to choose",
                )
                self.source = gradio.Textbox(
                    example.source if example else "",
                    label="What the picture shows",
                    info="optional; with a caption, any edit needs no second fit",
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
                    label="What will be fitted",
                    interactive=False,
                    height=260,
                    buttons=[],
                    elem_id="fit-cropped",
                    elem_classes=["picture"],
                )
                with gradio.Accordion("Change the crop", open=False):
                    self.zoom = gradio.Slider(1, 4, 1, step=0.05, label="zoom")
                    self.across = gradio.Slider(0, 1, 0.5, step=0.01, label="left to right")
                    self.down = gradio.Slider(0, 1, 0.5, step=0.01, label="top to bottom")
                self.status = gradio.HTML(markup.note(_WAITING), elem_id="fit-status")
                self.preview = gradio.Image(
                    label="As the fit draws it now",
                    interactive=False,
                    visible=False,
                    height=220,
                    buttons=[],
                    elem_id="fit-preview",
                    elem_classes=["picture"],
                )
                with gradio.Row(visible=False) as self.after:
                    self.edit = gradio.Button("Edit it", variant="primary", elem_id="fit-edit")
                    self.download = gradio.DownloadButton(
                        "Download the adapter", elem_id="fit-download"
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
            show_progress="hidden",
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
        return gradio.Image(shown, label=label), gradio.skip()

    def watch(self, request: gradio.Request) -> Iterator[Sequence[Any]]:
        """Yield what is to be seen of a session's fit; nothing where there is none."""
        job = self._studio.session(request).fit
        if job is not None:
            for view in self._studio.desk.watch(job):
                yield self._show(view, request)

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
            return None, markup.note(without_folder(str(error), sent), "bad")
        session.picture = path
        shown, said = self.frame(request, *crop)
        return shown, markup.note(_WAITING) if shown else said

    def _box(
        self, image: Image.Image, zoom: float, across: float, down: float, *sides: int | None
    ) -> tuple[tuple[int, int, int, int], tuple[int, int]]:
        """Return what is cut out of an image, and the canvas that it is fitted on."""
        held = widgets.read(FitSettings, ("width", "height"), sides)
        canvas = self._studio.editor.canvas(image.size, held.width, held.height)
        return crop_box(image.size, canvas, centre=(across, down), zoom=zoom), canvas

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
        if not (source.strip() or target.strip()):
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
            source=source,
            settings=settings,
        )
        return partial(self._fit, fit, session, target.strip() or source.strip())

    def _fit(self, fit: Callable[..., Adapter], session: Session, wish: str, job: Job) -> None:
        """Fit, draw what is learned now and then, and save it."""
        state, drawn = Fitting(), 0.0

        def show(progress: Progress) -> None:
            nonlocal state, drawn
            preview = state.preview
            if progress.preview and time.monotonic() - drawn > _PREVIEW_SECONDS:
                preview, drawn = progress.preview() or preview, time.monotonic()
            state = Fitting(progress, (*state.losses, progress.loss or 0.0), preview)
            job.post(state)
            if job.stopping:
                raise StopFit

        adapter = fit(on_progress=show)
        name = session.adapter = self._studio.shelf.keep(adapter, wish)
        words = f"Fitted in {len(adapter.record.losses)} steps"
        if adapter.record.gap is not None:
            words += f"; the loss is {adapter.record.gap:.0%} of what it was before"
        job.post(Fitting(state.progress, state.losses, state.preview, name, f"{words}."))

    def _show(self, view: View, request: gradio.Request) -> Sequence[Any]:
        """Return what the widgets show of a fit."""
        state = view.state or Fitting()
        if view.done and state.name:
            copy = self._studio.shelf.copy(state.name, self._studio.session(request).folder)
            words = markup.note(f"{state.words} {_STAYS}", "good")
            text = words + markup.notes(view.notes) + markup.curve(state.losses)
            return self._said(text, state.preview, gradio.Row(visible=True), str(copy))
        if view.done:
            words = markup.note(view.error or "Stopped before anything was learned.", "bad")
            return self._said(words + markup.notes(view.notes))
        text = markup.waiting(view.before) if state.progress is None else markup.bar(state.progress)
        text += markup.notes(view.notes) + markup.curve(state.losses)
        shown = gradio.Image(state.preview, visible=state.preview is not None)
        ready = not view.stopping
        return (
            text,
            shown,
            gradio.Button(interactive=False),
            gradio.Button("Stop and keep" if ready else "Stopping", interactive=ready),
            gradio.Row(visible=False),
            gradio.skip(),
        )

    def _said(
        self,
        text: str,
        preview: Image.Image | None = None,
        after: Any = None,
        download: Any = None,
    ) -> Sequence[Any]:
        """Return what the widgets show once a fit is over."""
        return (
            text,
            gradio.Image(preview, visible=preview is not None),
            gradio.Button(interactive=True),
            gradio.Button("Stop and keep", interactive=False),
            after or gradio.Row(visible=False),
            download,
        )

    def _stop(self, request: gradio.Request) -> Any:
        """Ask a session's fit to end and keep what it has."""
        job = self._studio.session(request).fit
        if job is not None and not job.done:
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
