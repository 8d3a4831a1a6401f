"""What each browser session has: its picture, its adapter, its mask, and its running job.

A session is named by the browser tab, so that it is found again after the page was loaded anew.
"""

import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.ui.jobs.queue import Job
from imagic_lora.ui.uploads import Upload

_MOST = 200
"""Sessions that are remembered; the one that was away longest is forgotten first."""

_KEY = re.compile(r"[0-9a-f]{32}")


@dataclass
class Session:
    """What one browser session has.

    Attributes:
        folder: Where its files go.
        visitor: What names the browser, which may have several sessions; nobody else is told it.
        picture: The picture to edit, or None where an adapter of the library is edited.
        taken: Name of that adapter, or "".
        input: A picture of what that adapter was fitted to, or None.
        mask: Where edits may change the picture, or None for everywhere.
        mask_error: Why the mask that the page shows cannot be used, or "".
        adapter: Name of the adapter that the library shows and that is compared, or "".
        unsaved: What was fitted last, where the library could not take it, or None.
        prompt: The words that the page put into the prompt by itself.
        named: Name in the page's field to rename it by, as the page was last told.
        doomed: What the page asks whether to delete, by the part of the page.
        run: Name of the run that the history shows, or "".
        jobs: The last job of each part of the page, waiting, running or over, by the part's name.
    """

    folder: Path
    visitor: str = ""
    picture: Upload | None = None
    taken: str = ""
    input: Path | None = None
    mask: Path | None = None
    mask_error: str = ""
    adapter: str = ""
    unsaved: Adapter | None = None
    prompt: str = ""
    named: str = ""
    doomed: dict[str, str] = field(default_factory=dict)
    run: str = ""
    jobs: dict[str, Job] = field(default_factory=dict)

    def turn_over(self) -> None:
        """Forget what the page showed before it was loaded anew: its fields are empty now."""
        self.named = self.mask_error = ""
        self.doomed.clear()

    def take(self, adapter: str, input_: Path | None, target: str) -> None:
        """Edit an adapter of the library from now on.

        Args:
            adapter: Its name.
            input_: A picture of what it was fitted to.
            target: Its own target.
        """
        self.picture, self.input = None, input_
        self.adapter = self.taken = adapter
        self.prompt = target

    def load(self, picture: Upload | None) -> None:
        """Edit a picture from now on."""
        self.picture, self.taken, self.input = picture, "", None

    def is_own(self, prompt: str) -> bool:
        """Return whether a prompt is none that somebody typed: empty, or put there by the page."""
        return prompt.strip() in ("", self.prompt)


class Sessions:
    """Finds the session of a page.

    Args:
        folder: Where the sessions' folders go.
        picture: The picture that a new session begins with, or None.
        prompt: What the page's prompt begins with.
    """

    def __init__(self, folder: Path, picture: Upload | None, prompt: str) -> None:
        self._folder = folder
        self._picture, self._prompt = picture, prompt
        self._by_key: OrderedDict[str, Session] = OrderedDict()
        self._keys: OrderedDict[str, str] = OrderedDict()

    def open(self, page: str, key: str, visitor: str = "") -> Session:
        """Return the session of a page that has just been loaded.

        Args:
            page: What names the page, until it is loaded anew.
            key: What names the browser's tab; 32 hex digits that the tab has drawn.
            visitor: What names the browser, in all its tabs; as many digits.
        """
        known = _known(key)
        if known not in self._by_key:
            folder = self._folder / secrets.token_hex(16)
            self._by_key[known] = Session(
                folder, _known(visitor), picture=self._picture, prompt=self._prompt
            )
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


def _known(key: str) -> str:
    """Return a name that a browser has drawn, or a new one where it has not."""
    return key if _KEY.fullmatch(key or "") else secrets.token_hex(16)
