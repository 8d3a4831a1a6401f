"""The part of the page that fits: a picture, how it is cropped, what it shows, and the fit itself."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import gradio
from PIL import Image, ImageEnhance

from imagic_lora.errors import ImageError, ImagicError, PromptError, heard_by
from imagic_lora.images.canvas import Frame
from imagic_lora.images.reading import open_image
from imagic_lora.settings import FitSettings, Option
from imagic_lora.ui import markup, widgets
from imagic_lora.ui.jobs.fit import FitState, make_adapter
from imagic_lora.ui.jobs.queue import View, Work
from imagic_lora.ui.sessions import Session
from imagic_lora.ui.tabs.working import WorkingTab
from imagic_lora.ui.widgets import Values
from imagic_lora.ui.workspace import Workspace

_ZOOM = Option("how many times narrower than it could be", low=1, high=100, usual=(1, 4))
_ACROSS = Option("where it lies: 0 is at the left, 1 at the right", low=0, high=1, usual=(0, 1))
_DOWN = Option("where it lies: 0 is at the top, 1 at the bottom", low=0, high=1, usual=(0, 1))
_DIMMED = 0.35
_WAITING = "Drop or paste a picture, say what it shows and what it should show, then press Fit."
_READY = "Press Fit, or the Enter key in one of the prompts."
_STAYS = "What was learned is kept: the adapter is in the library."


class FitTab(WorkingTab):
    """Layout and wiring of the fit.

    Args:
        workspace: What all parts share.
    """

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace, "fit", right=6)
        self.crop = {self.zoom, self.across, self.down, self.form["width"], self.form["height"]}
        self.taken = [self.cropped, self.remarks, self.status]
        self.shown = [self.status, self.preview, self.run, self.stop, self.after, self.download]

    def _left(self) -> None:
        """Lay out what asks for a fit."""
        example = self._workspace.example
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
        self.source = _prompt(
            "What the picture shows",
            "fit-source",
            example.source if example else "",
            info="optional; left empty, it is taken from the words below",
            placeholder="a few plain words",
        )
        self.target = _prompt(
            "What it should show",
            "fit-target",
            example.target if example else "",
            placeholder="the same words, and what is to be different",
        )
        self._buttons("Fit", "Stop and keep")
        with gradio.Accordion("Settings of the fit", open=False):
            self.form = widgets.form(FitSettings, prefix="fit")
        with gradio.Accordion("Memory", open=False, elem_id="fit-memory"):
            gradio.HTML(self._plan())

    def _right(self) -> None:
        """Lay out what will be fitted, and what comes of it."""
        self.cropped = _shown_image("What will be fitted", "fit-cropped", height=260)
        self.remarks = gradio.HTML(elem_id="fit-remarks")
        with gradio.Accordion("Change the crop", open=False):
            self.zoom = widgets.widget("zoom", _ZOOM, 1.0, elem_id="crop-zoom")
            self.across = widgets.widget("across", _ACROSS, 0.5, elem_id="crop-across")
            self.down = widgets.widget("down", _DOWN, 0.5, elem_id="crop-down")
        self._status(_WAITING)
        with gradio.Row(visible=False, elem_id="fit-after") as self.after:
            self.edit = gradio.Button("Edit it", variant="primary", elem_id="fit-edit")
            self.download = gradio.DownloadButton("Download the adapter", elem_id="fit-download")
        self.preview = _shown_image(
            "As the fit redraws it from noise", "fit-preview", height=220, visible=False
        )

    def wire(self) -> Any:
        """Connect the widgets; return the event that ends a fit."""
        gradio.on(
            [self.picture.upload, self.picture.clear],
            self._take,
            {self.picture, *self.crop},
            self.taken,
            preprocess=False,
            **widgets.LATEST,
        )
        moved = [widget.change for widget in self.crop]
        outputs = [self.cropped, self.remarks]
        gradio.on(moved, self._frame, self.crop, outputs, **widgets.LATEST)
        started = [self.run.click, self.target.submit, self.source.submit]
        asked = {self.source, self.target, *self.crop, *self.form.values()}
        return self._start(started, asked, self.shown)

    def show_picture(self, values: Values, request: gradio.Request) -> dict[Any, Any]:
        """Return the session's picture with its crop, and what to do next."""
        ready = self._workspace.session(request).picture is not None
        said = markup.note(_READY if ready else _WAITING)
        return {**self._frame(values, request), self.status: said}

    def _follow(self, _: Session, views: Iterable[View]) -> Iterator[dict[Any, Any]]:
        """Yield what the widgets show of a fit; a picture is sent once, not at each step."""
        shown = None
        for view in views:
            state = view.state or FitState()
            look = self._over(view, state) if view.done else self._under_way(view, state)
            if view.done or state.preview is not shown:
                look[self.preview] = gradio.Image(state.preview, visible=bool(state.preview))
            shown = state.preview
            yield look

    def _frame(self, values: Values, request: gradio.Request) -> dict[Any, Any]:
        """Return the picture with what will be cropped dimmed, and what was remarked on it."""
        path = self._workspace.session(request).picture
        if path is None:
            return {self.cropped: None, self.remarks: ""}
        notes: dict[str, None] = {}
        try:
            with heard_by(lambda note: notes.update({note.replace(str(path), path.name): None})):
                image = open_image(path)
                frame = self._framed(image, values)
        except ImagicError as error:
            return {self.cropped: None, self.remarks: markup.note(str(error), "bad")}
        left, upper, right, lower = map(round, frame.box)
        shown = ImageEnhance.Brightness(image).enhance(_DIMMED)
        shown.paste(image.crop((left, upper, right, lower)), (left, upper))
        label = f"What will be fitted, at {frame.size[0]} x {frame.size[1]} pixels"
        return {self.cropped: gradio.Image(shown, label=label), self.remarks: markup.notes(notes)}

    def _take(self, values: Values, request: gradio.Request) -> dict[Any, Any]:
        """Take in an image that was dropped, pasted or chosen."""
        session, sent = self._workspace.session(request), values[self.picture]
        session.picture = None
        refusal = ""
        if sent is not None:
            try:
                session.picture = self._workspace.uploads.image(sent)
            except ImageError as error:
                refusal = markup.note(str(error), "bad")
        shown = self.show_picture(values, request)
        return {**shown, self.status: refusal or shown[self.status]}

    def _framed(self, image: Image.Image, values: Values) -> Frame:
        """Return which part of an image is fitted, and at which size."""
        sides = {name: self.form[name] for name in ("width", "height")}
        held = widgets.read(FitSettings, sides, values)
        canvas = self._workspace.editor.canvas(image.size, held.width, held.height)
        across = widgets.number("across", _ACROSS, values[self.across])
        down = widgets.number("down", _DOWN, values[self.down])
        zoom = widgets.number("zoom", _ZOOM, values[self.zoom])
        return Frame.of(image.size, canvas, centre=(across, down), zoom=zoom)

    def _work(self, session: Session, values: Values) -> Work:
        """Return the job that fits."""
        if session.picture is None:
            raise ImageError("There is no picture to fit; drop one, paste one, or choose one.")
        source, target = (values[self.source] or "").strip(), (values[self.target] or "").strip()
        if not (source or target):
            raise PromptError(
                "A fit needs words; say what the picture shows, or what it should show."
            )
        settings = widgets.read(FitSettings, self.form, values)
        with heard_by(lambda _: None):  # what there is to remark stands beneath the crop
            image = open_image(session.picture)
            frame = self._framed(image, values)
        fit = partial(
            self._workspace.editor.fit,
            image,
            target=target,
            source=source or None,
            settings=settings,
            frame=frame,
        )
        return partial(make_adapter, fit, self._workspace.library, session, target or source)

    def _under_way(self, view: View, state: FitState) -> dict[Any, Any]:
        """Return what the widgets show of a fit that waits or goes on."""
        text = markup.waiting(view.before) if state.progress is None else markup.bar(state.progress)
        ready = not view.stopping
        return {
            self.status: text + markup.notes(view.notes) + markup.curve(state.losses),
            self.run: gradio.Button(interactive=False),
            self.stop: gradio.Button("Stop and keep" if ready else "Stopping", interactive=ready),
            self.after: gradio.Row(visible=False),
        }

    def _over(self, view: View, state: FitState) -> dict[Any, Any]:
        """Return what the widgets show of a fit that is over."""
        if state.name:
            said = markup.note(f"{state.words} {_STAYS}", "warn" if state.hardly else "good")
        elif view.error:
            said = markup.note(view.error, "bad")
        else:
            said = markup.stopped(view.begun)
        curve = markup.curve(state.losses) if state.name else ""
        return {
            self.status: said + markup.notes(view.notes) + curve,
            self.run: gradio.Button(interactive=True),
            self.stop: gradio.Button("Stop and keep", interactive=False),
            self.after: gradio.Row(visible=bool(state.name)),
            self.download: str(state.file) if state.file else None,
        }

    def _plan(self) -> str:
        """Return what the work will need, as a table, or what it works in where none is known."""
        plan = self._workspace.editor.plan
        pairs = [("device", str(plan.device)), ("precision", str(plan.dtype).rpartition(".")[2])]
        rows = self._workspace.plan
        if not rows:
            return markup.facts(
                [*pairs, ("levers", ", ".join(e.name for e in plan.levers) or "none")]
            )
        return markup.facts(pairs) + markup.table(("phase", "needs", "slower", "levers"), rows)


def _prompt(label: str, name: str, value: str, **looks: Any) -> Any:
    """Return a field for a prompt."""
    return gradio.Textbox(value, label=label, lines=1, max_lines=3, elem_id=name, **looks)


def _shown_image(label: str, name: str, **looks: Any) -> Any:
    """Return a place for a picture that is only looked at."""
    return gradio.Image(
        format="png",
        label=label,
        interactive=False,
        buttons=[],
        elem_id=name,
        elem_classes=["picture"],
        **looks,
    )
