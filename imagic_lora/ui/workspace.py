"""What all parts of the page share: the editor, the jobs, the adapters, the sessions, the uploads."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagic_lora.editor import ImagicEditor
from imagic_lora.errors import ImageError
from imagic_lora.images.reading import open_image
from imagic_lora.ui.jobs.queue import JobQueue
from imagic_lora.ui.library import Library
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


@dataclass(frozen=True)
class Uploads:
    """The files that people upload; whatever a page says of them is checked.

    Attributes:
        folder: The folder that all of them lie in.
    """

    folder: Path

    def file(self, sent: Any) -> Path:
        """Return the file that was uploaded.

        Args:
            sent: What the page says of it.

        Raises:
            ImageError: When it is not a file that was uploaded here.
        """
        try:
            path = _path(sent).resolve()
            found = path.is_file() and path.is_relative_to(self.folder)
        except (OSError, ValueError):  # a name that no file can have
            found = False
        if not found:
            raise ImageError("The file was not uploaded to this page; choose it again.")
        return path

    def image(self, sent: Any) -> Path:
        """Return the image file that was uploaded, once it is known that it can be read.

        Args:
            sent: What the page says of it.

        Raises:
            ImageError: When it was not uploaded here, is too large, or is no image; the sentence
                does not name the folder.
        """
        path = self.file(sent)
        size = path.stat().st_size
        if size > MOST_IMAGE_BYTES:
            raise ImageError(
                f"The image has {size / 1e6:.0f} MB, allowed are {MOST_IMAGE_BYTES / 1e6:.0f}; "
                "save it smaller, or as a JPEG."
            )
        try:
            open_image(path)
        except ImageError as error:
            raise ImageError(str(error).replace(str(path), path.name)) from error
        return path


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """What all parts of the page share.

    Attributes:
        editor: The editor; only jobs make it work.
        jobs: The queue of jobs.
        library: The adapters.
        sessions: What each browser session has.
        example: What the page shows at first, or None.
        plan: What the work will need, as rows of phase, memory, slowdown and levers.
        uploads: What was uploaded.
    """

    editor: ImagicEditor
    jobs: JobQueue
    library: Library
    sessions: Sessions
    example: Example | None
    plan: Sequence[Sequence[str]]
    uploads: Uploads

    def session(self, request: Any) -> Session:
        """Return the session of whoever asks."""
        return self.sessions.get(request.session_hash)


def _path(sent: Any) -> Path:
    """Return the path that a page gives for a file; "" stands for none."""
    return Path(str(sent.get("path", "")) if isinstance(sent, dict) else "")
