"""What is edited: a picture and its crop, or an adapter of the library; and how a picture is fitted."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gradio

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.demo import Example
from imagic_lora.errors import ImageError, ImagicError, PromptError, heard_by
from imagic_lora.images.canvas import Frame
from imagic_lora.images.reading import open_image
from imagic_lora.settings import FitSettings
from imagic_lora.ui import markup, stage, widgets
from imagic_lora.ui.fits import Wanted
from imagic_lora.ui.jobs.mask import Framed
from imagic_lora.ui.jobs.run import Fitting
from imagic_lora.ui.sessions import Session
from imagic_lora.ui.tabs.crop_form import CropForm
from imagic_lora.ui.uploads import Upload
from imagic_lora.ui.widgets import Values
from imagic_lora.ui.workspace import Workspace

_NONE = "There is no picture yet; choose one, drop one here, or take an adapter from the library."
_WORDLESS = "Say what the picture should show."


Veil = Callable[[Session, Frame, Values], Path | None]
"""Returns what dims all that a session's mask keeps as it is."""


class PictureForm:
    """The widgets that say what is edited and how it is fitted, laid out where they are made.

    Args:
        workspace: What all parts share.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.choose = gradio.UploadButton(
            "Choose a picture", size="md", file_count="single", elem_id="picture"
        )
        self.remarks = gradio.HTML(elem_id="remarks")

    def words(self) -> None:
        """Lay out the prompts."""
        welcome = self._workspace.welcome
        self.target = gradio.Textbox(
            welcome.first.target if welcome else "",
            label="What it should show",
            placeholder="the picture in a few words, with what is to be different",
            lines=1,
            max_lines=4,
            elem_id="target",
            elem_classes=["prompt"],
        )
        self.source = gradio.Textbox(
            welcome.first.source if welcome else "",
            label="What it shows now",
            placeholder="optional; taken from the words above",
            lines=1,
            max_lines=3,
            elem_id="source",
        )

    def fold(self) -> None:
        """Lay out what is folded away: the crop, and how a picture is learned."""
        with gradio.Accordion("Crop", open=False):
            self.place = CropForm()
        with gradio.Accordion("How the picture is learned", open=False):
            self.settings = widgets.form(FitSettings, prefix="fit")

    def wire(self, look: Callable[[Any], Any]) -> None:
        """Connect the widgets of the crop.

        Args:
            look: Shows the picture anew after an event.
        """
        look(partial(gradio.on, [widget.input for widget in self.crop]))
        look(self.place.wire().then)

    @property
    def crop(self) -> set[Any]:
        """The widgets that say which part is edited, at which size."""
        sides = (self.settings["width"], self.settings["height"])
        return {*self.place.whole, *sides}

    @property
    def filled(self) -> set[Any]:
        """The widgets that a new picture fills."""
        return {self.target, self.source, *self.place.whole}

    @property
    def asked(self) -> set[Any]:
        """The widgets that `start` reads."""
        return {self.target, self.source, *self.crop, *self.settings.values()}

    def show(self, session: Session, values: Values, veil: Veil) -> tuple[str, str]:
        """Return what is edited, to look at, and what is remarked on it.

        Args:
            session: Whose picture it is.
            values: What the widgets hold.
            veil: Returns what dims all that a mask keeps as it is.
        """
        if session.picture is None and not session.taken:
            return stage.empty(), ""
        if session.picture is None:
            return self._taken(session, values, veil)
        notes = dict.fromkeys(session.picture.notes)
        try:
            with heard_by(lambda note: notes.update({note: None})):
                frame = self._framed(session.picture.size, values)
        except ImagicError as error:
            return stage.empty(), markup.note(str(error), "bad")
        dimmed, refusal = _veiled(lambda: veil(session, frame, values))
        shown = stage.framed(session.picture.shown, frame, session.picture.name, dimmed)
        return shown, markup.notes(notes) + refusal

    def take(self, session: Session, sent: Any, values: Values) -> dict[Any, Any]:
        """Take in a picture; the words of the one before go, where nobody typed them.

        Args:
            session: Whose picture it is.
            sent: What the page says of the file.
            values: What the widgets hold.

        Raises:
            ImageError: When it cannot be used; then there is no picture.
        """
        session.load(None)
        uploads = self._workspace.uploads
        session.load(uploads.picture(uploads.file(sent)))
        own = session.is_own(values[self.target] or "")
        welcome, source = self._workspace.welcome, (values[self.source] or "").strip()
        offered = welcome is not None and source in {each.source for each in welcome.examples}
        session.prompt = ""
        return {
            self.target: "" if own else gradio.skip(),
            self.source: "" if offered else gradio.skip(),
            **self.place.whole,
        }

    def begin(self, session: Session, example: Example) -> dict[Any, Any]:
        """Take in an example with its words, and return what the widgets show of it."""
        session.load(self._workspace.uploads.picture(example.picture))
        session.prompt = example.target
        return {self.target: example.target, self.source: example.source, **self.place.whole}

    def start(self, session: Session, values: Values) -> Adapter | Fitting:
        """Return the adapter that is edited, or the fit that makes it first.

        Args:
            session: Whose picture it is.
            values: What the widgets hold.

        Raises:
            ImagicError: When there is nothing to edit, or it cannot be fitted like this.
        """
        library, target = self._workspace.library, (values[self.target] or "").strip()
        if session.picture is not None:
            if not target:
                raise PromptError(_WORDLESS)
            return self._fitting(session, session.picture, target, values)
        if not session.taken:
            raise ImageError(_NONE)
        adapter = library.load(session.taken)
        if not (target or adapter.record.target):
            raise PromptError(_WORDLESS)
        return adapter

    def framed(self, session: Session, values: Values) -> Framed:
        """Return the picture that a session edits, to look for a mask on.

        Raises:
            ImagicError: When there is none.
        """
        if session.picture is None:
            if not session.taken:
                raise ImageError(_NONE)
            return Framed(self._workspace.library.load(session.taken))
        with heard_by(lambda _: None):
            image = open_image(session.picture.path)
            return Framed(image, self._framed(image.size, values))

    def _fitting(
        self, session: Session, picture: Upload, target: str, values: Values
    ) -> Adapter | Fitting:
        """Return the fit of a session's picture that is there already, or the one that is needed."""
        library, editor = self._workspace.library, self._workspace.editor
        source = (values[self.source] or "").strip()
        settings = widgets.read(FitSettings, self.settings, values)
        with heard_by(lambda _: None):  # what there is to remark stands beneath the picture
            image = open_image(picture.path)
            frame = self._framed(image.size, values)
        wanted = Wanted(
            image_sha256=picture.sha256,
            frame=frame,
            source=source,
            settings=settings,
            fingerprint=editor.model.traits.fingerprint,
        )
        if (entry := wanted.found(library)) is not None:
            session.adapter = entry.name
            return library.load(entry.name)
        if session.unsaved is not None and wanted.met_by(session.unsaved.record):
            return session.unsaved
        given: dict[str, Any] = {
            "target": target,
            "source": source or None,
            "settings": settings,
            "frame": frame,
        }
        fit = partial(editor.fit, image, **given)
        canvas = frame.cut(image)
        return Fitting(fit=fit, settings=settings, wish=target, caption=source, canvas=canvas)

    def _taken(self, session: Session, values: Values, veil: Veil) -> tuple[str, str]:
        """Return the picture of the adapter that is edited."""
        try:
            record = self._workspace.library.find(session.taken).record
        except ImagicError as error:
            return stage.empty(), markup.note(str(error), "bad")
        words = f"{session.taken}: learned already"
        if session.input is None:
            return "", markup.note(words)
        size = (record.width, record.height)
        frame = record.frame or Frame.of(size, size)
        dimmed, refusal = _veiled(lambda: veil(session, frame, values))
        return stage.single(session.input, words, size, dimmed), refusal

    def _framed(self, size: tuple[int, int], values: Values) -> Frame:
        """Return which part of a picture is edited, and at which size."""
        sides = {name: self.settings[name] for name in ("width", "height")}
        held = widgets.read(FitSettings, sides, values)
        canvas = self._workspace.editor.canvas(size, held.width, held.height)
        return self.place.frame(size, canvas, values)


def _veiled(veil: Callable[[], Path | None]) -> tuple[Path | None, str]:
    """Return what dims all that a mask keeps, and why a mask cannot be used."""
    try:
        return veil(), ""
    except ImagicError as error:
        return None, markup.note(str(error), "bad")
