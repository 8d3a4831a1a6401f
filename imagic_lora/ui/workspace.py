"""What all parts of the page share: the editor, the jobs, the adapters, the sessions, the uploads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from imagic_lora.demo import Example
from imagic_lora.editor import ImagicEditor
from imagic_lora.ui.history import History
from imagic_lora.ui.jobs.queue import JobQueue
from imagic_lora.ui.library import Library
from imagic_lora.ui.sessions import Session, Sessions
from imagic_lora.ui.uploads import Uploads


@dataclass(frozen=True, kw_only=True)
class Welcome:
    """What the page shows at first, so that one click tries it.

    Attributes:
        examples: Pictures to begin with, at least one; the page opens with the first.
        alphas: Prompt strengths that show the way from a picture to what it should show.
        limits: What the model can and cannot show, in a sentence.
    """

    examples: Sequence[Example]
    alphas: Sequence[float]
    limits: str = ""

    @property
    def first(self) -> Example:
        """What the page opens with."""
        return self.examples[0]


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """What all parts of the page share.

    Attributes:
        editor: The editor; only jobs make it work.
        jobs: The queue of jobs.
        library: The adapters.
        history: The runs that were made.
        sessions: What each browser session has.
        welcome: What the page shows at first, or None.
        plan: What the work will need, as rows of phase, memory, slowdown and levers.
        uploads: What was uploaded.
    """

    editor: ImagicEditor
    jobs: JobQueue
    library: Library
    history: History
    sessions: Sessions
    welcome: Welcome | None
    plan: Sequence[Sequence[str]]
    uploads: Uploads

    def session(self, request: Any) -> Session:
        """Return the session of whoever asks."""
        return self.sessions.get(request.session_hash)
