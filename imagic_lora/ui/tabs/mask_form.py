"""What may change: a mask that is painted, found by words, or given as a file."""

import secrets
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import gradio
from PIL import Image, ImageFilter, ImageOps

from imagic_lora.errors import ImageError, ImagicError, PromptError
from imagic_lora.images.canvas import Frame
from imagic_lora.images.png import save_png
from imagic_lora.images.reading import open_mask
from imagic_lora.settings import Option
from imagic_lora.ui import markup, widgets
from imagic_lora.ui.jobs.mask import Framed, find_mask
from imagic_lora.ui.sessions import Session
from imagic_lora.ui.widgets import Values
from imagic_lora.ui.workspace import Workspace

_ON = "A mask is on: what is dimmed stays as it is."
_FEATHER = Option(
    "softness of the edge, as a share of the shorter side", low=0, high=0.2, usual=(0, 0.2)
)
_DIM = 150
"""How dark, of 255, the veil is over what stays."""


class MaskForm:
    """The widgets that ask for a mask, laid out where they are made.

    Args:
        workspace: What all parts share.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        with gradio.Row(elem_classes=["tight"]):
            self.paint = gradio.Button("Paint it", size="sm", min_width=80, elem_id="mask-paint")
            self.file = gradio.UploadButton(
                "From a file", size="sm", min_width=80, file_count="single", elem_id="edit-mask"
            )
        with gradio.Row(elem_classes=["tight"]):
            self.words = gradio.Textbox(
                label="or name what may change",
                placeholder="the hat",
                lines=1,
                scale=3,
                min_width=120,
                elem_id="mask-words",
            )
            self.find = gradio.Button(
                "Find it", size="sm", scale=1, min_width=80, elem_id="mask-find"
            )
        self.feather = widgets.widget("feather", _FEATHER, 0.0, elem_id="mask-feather")
        with gradio.Row(elem_classes=["tight"]):
            self.invert = gradio.Button("Invert", size="sm", min_width=80, elem_id="mask-invert")
            self.remove = gradio.Button("Remove", size="sm", min_width=80, elem_id="mask-remove")

    def wire(
        self,
        said: Any,
        asked: set[Any],
        framed: Callable[[Session, Values], Framed],
        look: Callable[[Any], Any],
    ) -> None:
        """Connect the widgets.

        Args:
            said: Where what is to be said of a mask is shown.
            asked: The widgets that `framed` reads.
            framed: Returns the picture that a session edits.
            look: Shows the picture anew after an event.
        """
        self.paint.click(None, js="() => imagicLora.paint()")
        taken = self.file.upload(
            self._take, {self.file}, [said], preprocess=False, **widgets.LATEST
        )
        finding = partial(self._find, said, framed)
        found = gradio.on(
            [self.find.click, self.words.submit],
            _generator(finding),
            {self.words, *asked},
            [said],
            **widgets.STREAM,
        )
        for event in (
            taken,
            found,
            self.invert.click(self._invert, outputs=[said], **widgets.QUIET),
            self.remove.click(self._remove, outputs=[said], **widgets.QUIET),
        ):
            look(event.then)
        look(self.feather.input)
        self._said = said

    def note(self, session: Session) -> str:
        """Return what to say, beside the button, of a mask that is on or was refused."""
        if session.mask_error:
            return markup.note(session.mask_error, "bad")
        return markup.note(_ON) if session.mask else ""

    def image(self, session: Session, values: Values) -> Image.Image | None:
        """Return the mask of a session, its edge softened, or None where it has none.

        Raises:
            ImageError: When the page shows one that cannot be used.
        """
        if session.mask_error:
            raise ImageError(f"{session.mask_error} Remove the mask, or choose another.")
        if session.mask is None:
            return None
        mask = open_mask(session.mask)
        feather = widgets.number("feather", _FEATHER, values[self.feather])
        return mask.filter(ImageFilter.GaussianBlur(feather * min(mask.size))) if feather else mask

    def veil(self, session: Session, frame: Frame, values: Values) -> Path | None:
        """Return a picture that dims what stays, to lie over what is edited, or None.

        Args:
            session: Whose mask it is.
            frame: Which part of the picture is edited.
            values: What the widgets hold.

        Raises:
            ImageError: When the mask cannot be used, or has another shape than the picture.
        """
        mask = self.image(session, values)
        if mask is None:
            return None
        cut = frame.cut_mask(mask)
        veil = Image.new("LA", cut.size, 0)
        veil.putalpha(cut.point([_DIM - _DIM * level // 255 for level in range(256)]))
        path = session.folder / f"veil-{secrets.token_hex(8)}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        veil.save(path)
        return path

    def keep(self, session: Session, mask: Image.Image | None) -> None:
        """Let a session have a mask, or none."""
        session.mask, session.mask_error = None, ""
        if mask is not None:
            path = _fresh(session)
            save_png(mask, path, {}, force=True)
            session.mask = path

    def _take(self, values: Values, request: gradio.Request) -> dict[Any, Any]:
        """Take in a mask that was painted or chosen."""
        session = self._workspace.session(request)
        session.mask, session.mask_error = None, ""
        try:
            session.mask = self._workspace.uploads.image(values[self.file])
        except ImageError as error:
            session.mask_error = str(error)
        return {self._said: self.note(session)}

    def _find(
        self,
        said: Any,
        framed: Callable[[Session, Values], Framed],
        values: Values,
        request: gradio.Request,
    ) -> Iterator[dict[Any, Any]]:
        """Look for a mask by words, in the line of jobs."""
        session, jobs = self._workspace.session(request), self._workspace.jobs
        words = (values[self.words] or "").strip()
        try:
            if not words:
                raise PromptError("Say what may change, such as 'the hat'.")
            looked_at, path = framed(session, values), _fresh(session)
            work = partial(find_mask, self._workspace.editor, looked_at, words, path)
        except ImagicError as error:
            yield {said: markup.note(str(error), "bad")}
            return
        job = jobs.submit(work, title=f"find: {words}", owner=session.visitor)
        del work  # it holds the model
        for view in jobs.watch(job):
            if not view.done:
                waits = markup.waiting(view.before) if view.before else markup.note("Looking.")
                yield {said: waits}
                continue
            if view.error:
                yield {said: markup.note(view.error, "bad")}
                return
            session.mask, session.mask_error = view.state, ""
            yield {said: self.note(session) + markup.notes(view.notes)}

    def _invert(self, request: gradio.Request) -> dict[Any, Any]:
        """Let change what had to stay, and the other way round."""
        session = self._workspace.session(request)
        if session.mask is not None:
            self.keep(session, ImageOps.invert(open_mask(session.mask)))
        return {self._said: self.note(session)}

    def _remove(self, request: gradio.Request) -> dict[Any, Any]:
        """Let everything change."""
        session = self._workspace.session(request)
        self.keep(session, None)
        return {self._said: ""}


def _fresh(session: Session) -> Path:
    """Return where a mask of a session goes."""
    return session.folder / f"mask-{secrets.token_hex(8)}.png"


def _generator(finding: Callable[..., Iterator[dict[Any, Any]]]) -> Any:
    """Return a search as the framework wants it: a function of its own that yields."""

    def find(values: Values, request: gradio.Request) -> Iterator[dict[Any, Any]]:
        yield from finding(values, request)

    return find
