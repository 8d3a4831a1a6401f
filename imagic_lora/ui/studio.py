"""What all parts of the page share: the editor, the line of jobs, the adapters, the sessions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagic_lora.editor import ImagicEditor
from imagic_lora.errors import ImageError
from imagic_lora.ui.jobs.queue import Desk
from imagic_lora.ui.library import Shelf
from imagic_lora.ui.sessions import Session, Sessions

MOST_IMAGE_BYTES = 64_000_000
"""Largest image file that is taken in."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """What the page shows at first, so that one click tries it.

    Attributes:
        picture: An image to fit.
        source: Its caption.
        target: What to edit it towards.
        alphas: Prompt strengths that show the way from the one to the other.
    """

    picture: Path
    source: str
    target: str
    alphas: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Studio:
    """What all parts of the page share.

    Attributes:
        editor: The editor; only the desk's jobs make it work.
        desk: The line of jobs.
        shelf: The adapters.
        sessions: What each browser session has.
        example: What the page shows at first, or None.
        plan: What the work will need, as rows of phase, memory, slowdown and levers.
        uploads: The folder that everything uploaded lies in.
    """

    editor: ImagicEditor
    desk: Desk
    shelf: Shelf
    sessions: Sessions
    example: Example | None
    plan: Sequence[Sequence[str]]
    uploads: Path

    def session(self, request: Any) -> Session:
        """Return the session of whoever asks."""
        return self.sessions.get(request.session_hash)

    def uploaded(self, sent: Any) -> Path:
        """Return the file that was uploaded.

        Args:
            sent: What the page says of it.

        Raises:
            ImageError: When it is not a file that was uploaded here.
        """
        try:
            path = _path(sent).resolve()
            found = path.is_file() and path.is_relative_to(self.uploads)
        except (OSError, ValueError):  # a name that no file can have
            found = False
        if not found:
            raise ImageError("The file was not uploaded to this page; choose it again.")
        return path

    def uploaded_image(self, sent: Any) -> Path:
        """Return the image file that was uploaded.

        Raises:
            ImageError: When it is too large, or was not uploaded here.
        """
        path = self.uploaded(sent)
        size = path.stat().st_size
        if size > MOST_IMAGE_BYTES:
            raise ImageError(
                f"The image has {size / 1e6:.0f} MB, allowed are {MOST_IMAGE_BYTES / 1e6:.0f}; "
                "save it smaller, or as a JPEG."
            )
        return path


def without_folder(error: Exception, sent: Any) -> str:
    """Return what an error says of an uploaded file, without the folder that it was put in."""
    text = str(error)
    if "\0" in str(_path(sent)):
        return text
    path = _path(sent)
    return text.replace(str(path.resolve()), path.name).replace(str(path), path.name)


def _path(sent: Any) -> Path:
    """Return the path that a page gives for a file; "" stands for none."""
    return Path(str(sent.get("path", "")) if isinstance(sent, dict) else "")
