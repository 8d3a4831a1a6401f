"""The base model that the page works with, and another in its place; one at a time is in memory."""

import gc
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.demo import Example
from imagic_lora.editor import ImagicEditor
from imagic_lora.errors import ModelError
from imagic_lora.memory.device import give_back
from imagic_lora.ui.jobs.queue import Job, JobQueue

_NONE = "No model is here at the moment: wait until it is loaded, or choose one."
_BUSY = "A model can be changed once nothing runs or waits: wait for the others, or stop them."
_NAMELESS = "Say which model: a name, a folder, or a checkpoint's file."


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
class Loaded:
    """A base model, and what is known of it.

    Attributes:
        name: What it was asked for by.
        editor: What works with it, or None while it is not in memory.
        plan: What the work will need, as rows of phase, memory, slowdown and levers.
        welcome: What the page shows at first, or None.
    """

    name: str
    editor: ImagicEditor | None
    plan: Sequence[Sequence[str]] = ()
    welcome: Welcome | None = None


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Other models, for a page that nobody but its owner can reach.

    Attributes:
        names: Models to choose from; others may be named too.
        load: Loads one by its name, a folder, or a checkpoint's file.
        outlook: Returns in a line what one will need.
    """

    names: Sequence[str]
    load: Callable[[str], Loaded]
    outlook: Callable[[str], str]


class Models:
    """The model at hand.

    Args:
        loaded: The one that the page begins with.
        choice: Others, or None where it cannot be changed.
    """

    def __init__(self, loaded: Loaded, choice: Choice | None = None) -> None:
        self.now, self.choice = loaded, choice
        self._lock = threading.Lock()

    @property
    def editor(self) -> ImagicEditor:
        """What works with the model.

        Raises:
            ModelError: While there is none.
        """
        if self.now.editor is None:
            raise ModelError(_NONE)
        return self.now.editor

    def check(self, adapter: Adapter) -> None:
        """Raise for an adapter of another kind of model, as long as there is one.

        Raises:
            AdapterMismatchError: When it was fitted on another kind of model.
        """
        if (editor := self.now.editor) is not None:
            editor.check(adapter)

    def change(self, name: str, jobs: JobQueue, after: Callable[[], None]) -> Job:
        """Let go of the model at hand, then load another; where that fails, load it again.

        Nothing else may run or wait, and nothing new is begun until it is over: a job holds the model
        that it was asked of.

        Args:
            name: The other model.
            jobs: The queue, in which it is done.
            after: Called once there is a model again.

        Raises:
            ModelError: When jobs run or wait, there is no name, or models cannot be changed here.
        """
        if self.choice is None or not name:
            raise ModelError(_NAMELESS)
        with self._lock:
            if jobs.line():
                raise ModelError(_BUSY)
            self.now = replace(self.now, editor=None)
            work = partial(self._load, self.choice.load, name, after)
            return jobs.submit(work, title=f"loading {name}")

    def _load(
        self, load: Callable[[str], Loaded], name: str, after: Callable[[], None], _: Job
    ) -> None:
        """Load a model into the room that the one before has left."""
        gc.collect()  # a model refers to itself
        give_back()
        try:
            self.now = load(name)
        except BaseException:
            self.now = load(self.now.name)
            raise
        finally:
            after()
