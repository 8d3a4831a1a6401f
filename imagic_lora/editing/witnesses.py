"""Who looks at an input and its edits, and says how far they are from caption to target."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar, Protocol

import torch
from PIL import Image

from imagic_lora.captions import likelihood
from imagic_lora.captions.likelihood import Pull
from imagic_lora.conditioning import Conditioning
from imagic_lora.editing.edits import Edits
from imagic_lora.errors import PromptError
from imagic_lora.memory import denoising
from imagic_lora.models.base import LatentModel
from imagic_lora.models.encoding import encode
from imagic_lora.models.scorer import Leaning, PictureScorer

_SEED = 0
"""Seed of the noises under which pictures are looked at: only the same ones compare."""


class Seen(Protocol):
    """What a witness sees in a picture."""

    @property
    def place(self) -> float:
        """Where between the caption, 0, and the target, 1, it sees the picture."""

    def remaining(self, before: Any, /) -> float:
        """Return how much is left to do, 1 being as much as at the input and 0 none."""


class Witness(Protocol):
    """Who looks at the input of an edit, and at what is made of it."""

    name: ClassVar[str]

    def before(self) -> Seen:
        """Return what is seen in the input."""

    def after(self, image: Image.Image, latents: torch.Tensor) -> Seen:
        """Return what is seen in an edit, given as a picture and as latents (1, C, h, w)."""


@dataclass(frozen=True)
class BaseModel:
    """The base model, without the adapter.

    Attributes:
        edits: The edit, alone.
    """

    name: ClassVar[str] = "the base model"
    edits: Edits

    def before(self) -> Pull:
        """Return how the model is drawn from caption to target when it looks at the input."""
        return self._seen(self.edits.latents)

    def after(self, image: Image.Image, latents: torch.Tensor) -> Pull:  # noqa: ARG002  latents say all
        """Return how it is drawn when it looks at an edit."""
        return self._seen(latents)

    def _seen(self, latents: torch.Tensor) -> Pull:
        model, prompts = self.edits.model, self.edits.prompts
        latents = latents.to(model.plan.device, torch.float32)
        return _look(model, latents, prompts.caption, prompts.target)


@dataclass(frozen=True)
class Scorer:
    """A model that was made to match pictures and prompts.

    Attributes:
        edits: The edit, alone.
        scorer: The model.
        input: Gives the input as a picture.

    Raises:
        PromptError: When the fit has no caption, from which an edit could lead away.
    """

    name: ClassVar[str] = "the scorer"
    edits: Edits
    scorer: PictureScorer
    input: Callable[[], Image.Image]

    def __post_init__(self) -> None:
        if not self._prompts[0]:
            raise PromptError(
                "A scorer holds the target against the fit's caption, and this fit has none; fit "
                "with a source, or leave the scorer away."
            )

    @cached_property
    def _prompts(self) -> tuple[str, str]:
        """What the input shows, in words, and what the edit should."""
        (request,), (shared,) = self.edits.requests, self.edits.prompts.shared
        return shared or request.adapter.record.source, request.target

    def before(self) -> Leaning:
        """Return whether the input shows its caption or the target."""
        return self.scorer.leaning(self.input(), *self._prompts)

    def after(self, image: Image.Image, latents: torch.Tensor) -> Leaning:  # noqa: ARG002  it sees pictures
        """Return the same of an edit."""
        return self.scorer.leaning(image, *self._prompts)


def pull(model: LatentModel, image: Image.Image, source: str, target: str) -> Pull:
    """Return how a model is drawn from one prompt to another by looking at a picture.

    Args:
        model: The model, with no adapter in it.
        image: The picture, at whose size it is looked at.
        source: What the input shows.
        target: What an edit should show.
    """
    latents = encode(model, image, *image.size).latents
    start, end = model.encode_prompt(source, target).rows()
    return _look(model, latents, start, end)


def _look(
    model: LatentModel, latents: torch.Tensor, source: Conditioning, target: Conditioning
) -> Pull:
    """Return the pull of a picture's latents, with relief where memory runs out."""
    with denoising(model, "sample") as work:
        return work(partial(likelihood.pull, model, latents, source, target, _SEED))
