"""One at a time: whoever works with a model holds its lock, in whatever thread or editor."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from imagic_lora.memory.relief import shortage_explained
from imagic_lora.models.base import LatentModel


class Owner(Protocol):
    """Whatever works with a model."""

    @property
    def model(self) -> LatentModel:
        """The model."""


Worker = TypeVar("Worker", bound=Owner)
Given = ParamSpec("Given")
Result = TypeVar("Result")


def taking_turns(
    verb: Callable[Concatenate[Worker, Given], Result],
) -> Callable[Concatenate[Worker, Given], Result]:
    """Let a method have its owner's model to itself, while other threads wait their turn.

    What an edit switches into a model, and what a fit puts into it, is there for the length of the
    work; a second edit in the middle of it would see the first one's adapter. Where memory runs out
    in it and nothing helps, that is said in our own words.
    """

    @wraps(verb)
    def waiting(self: Worker, /, *args: Given.args, **kwargs: Given.kwargs) -> Result:
        with self.model.lock, shortage_explained(self.model):
            return verb(self, *args, **kwargs)

    return waiting
