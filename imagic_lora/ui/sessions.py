"""What each browser session has: its picture, its adapter, its pictures, and its running job.

A session is named by the browser tab, so that it is found again after the page was loaded anew.
"""

import re
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imagic_lora.ui.jobs.pictures import SavedPicture
from imagic_lora.ui.jobs.queue import Job

_MOST = 200
"""Sessions that are remembered; the one that was away longest is forgotten first."""

_KEY = re.compile(r"[0-9a-f]{32}")


@dataclass
class Session:
    """What one browser session has.

    Attributes:
        folder: Where its files go.
        picture: The image to fit, or None.
        mask: Where edits may change the picture, or None for everywhere.
        mask_error: Why the mask that the page shows cannot be used, or "".
        adapter: Name of the adapter to edit with, or "".
        prompted: Name of the adapter that the page's prompt was last chosen for, or "".
        prompt: That adapter's own target.
        fresh: Whether the adapter was just fitted, so that the prompt becomes its own.
        named: Name in the page's field to rename it by, as the page was last told.
        doomed: Name of the adapter that the page asks whether to delete, or "".
        jobs: The last job of each part of the page, waiting, running or over, by the part's name.
        made: The pictures of its last edit.
        before: The input of its last edit, or None.
    """

    folder: Path
    picture: Path | None = None
    mask: Path | None = None
    mask_error: str = ""
    adapter: str = ""
    prompted: str = ""
    prompt: str = ""
    fresh: bool = False
    named: str = ""
    doomed: str = ""
    jobs: dict[str, Job] = field(default_factory=dict)
    made: Sequence[SavedPicture] = ()
    before: Path | None = None

    def turn_over(self) -> None:
        """Forget what the page showed before it was loaded anew: its fields are empty now."""
        self.named = self.prompted = self.prompt = self.mask_error = self.doomed = ""
        self.fresh = False

    def choose(self, adapter: str, target: str) -> None:
        """Choose an adapter whose prompt the page has already, such as that of a picture.

        Args:
            adapter: Its name.
            target: Its own target.
        """
        self.adapter = self.prompted = adapter
        self.prompt = target

    def next_prompt(self, held: str, own: str) -> str | None:
        """Return what the page's prompt becomes for the adapter that is chosen, or None to leave it.

        What somebody typed is left; a former adapter's own target is not, nor anything after a fit.

        Args:
            held: What the page's prompt is now.
            own: The chosen adapter's own target.
        """
        if self.prompted == self.adapter and not self.fresh:
            return None
        replaced = self.fresh or held.strip() in ("", self.prompt)
        self.prompted, self.prompt, self.fresh = self.adapter, own, False
        return own if replaced else None


class Sessions:
    """Finds the session of a page.

    Args:
        folder: Where the sessions' folders go.
        picture: The image that a new session begins with, or None.
    """

    def __init__(self, folder: Path, picture: Path | None) -> None:
        self._folder = folder
        self._picture = picture
        self._by_key: OrderedDict[str, Session] = OrderedDict()
        self._keys: OrderedDict[str, str] = OrderedDict()

    def open(self, page: str, key: str) -> Session:
        """Return the session of a page that has just been loaded.

        Args:
            page: What names the page, until it is loaded anew.
            key: What names the browser's tab; 32 hex digits that the tab has drawn.
        """
        known = key if _KEY.fullmatch(key or "") else secrets.token_hex(16)
        if known not in self._by_key:
            self._by_key[known] = Session(self._folder / secrets.token_hex(16), self._picture)
        self._by_key.move_to_end(known)
        self._keys[page] = known
        self._by_key[known].turn_over()
        while len(self._by_key) > _MOST:
            self._by_key.popitem(last=False)
        while len(self._keys) > _MOST:
            self._keys.popitem(last=False)
        return self._by_key[known]

    def get(self, page: str) -> Session:
        """Return the session of a page."""
        found = self._by_key.get(self._keys.get(page, ""))
        return found or self.open(page, "")
