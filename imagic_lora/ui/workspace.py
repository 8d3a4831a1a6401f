"""What all parts of the page share: the editor, the jobs, the adapters, the sessions, the uploads."""

from dataclasses import dataclass
from typing import Any

from imagic_lora.editor import ImagicEditor
from imagic_lora.ui.history import History
from imagic_lora.ui.jobs.queue import JobQueue
from imagic_lora.ui.library import Library
from imagic_lora.ui.models import Models, Welcome
from imagic_lora.ui.sessions import Session, Sessions
from imagic_lora.ui.uploads import Uploads


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """What all parts of the page share.

    Attributes:
        models: The model at hand; only jobs make it work.
        jobs: The queue of jobs.
        library: The adapters.
        history: The runs that were made.
        sessions: What each browser session has.
        uploads: What was uploaded.
    """

    models: Models
    jobs: JobQueue
    library: Library
    history: History
    sessions: Sessions
    uploads: Uploads

    @property
    def editor(self) -> ImagicEditor:
        """What works with the model at hand.

        Raises:
            ModelError: While there is none.
        """
        return self.models.editor

    @property
    def welcome(self) -> Welcome | None:
        """What the page shows at first on the model at hand, or None."""
        return self.models.now.welcome

    def session(self, request: Any) -> Session:
        """Return the session of whoever asks."""
        return self.sessions.get(request.session_hash)
