"""Which alpha serves an edit, and how the change grows with it, by the model's own opinion."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate

from PIL import Image

from imagic_lora.captions import likelihood
from imagic_lora.editing.edits import Edits
from imagic_lora.editing.picture import Edit
from imagic_lora.images.pixels import difference, to_images
from imagic_lora.memory import denoising
from imagic_lora.models.base import LatentModel
from imagic_lora.models.encoding import encode

AUTO_ALPHAS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
"""The strengths that are tried when none is given."""

_AS_GOOD = 1.15
"""Surprise up to which, as a share of the least, a strength counts as useful."""


@dataclass(frozen=True, kw_only=True)
class AlphaSearch:
    """One edit at several strengths, with what the base model makes of each.

    Attributes:
        edits: The edits, by rising alpha.
        surprises: How little the base model expects each picture under the target prompt.
        changes: Root mean square difference of each picture from the input, of brightness 0 to 1.
    """

    edits: tuple[Edit, ...]
    surprises: tuple[float, ...]
    changes: tuple[float, ...]

    @property
    def best(self) -> Edit:
        """The edit that the base model finds likeliest under the target prompt.

        Too weak an edit lacks what the prompt asks for, too strong a one is no longer a picture
        as the model knows them: both surprise it.
        """
        return self.edits[self.surprises.index(min(self.surprises))]

    @property
    def useful(self) -> tuple[float, float]:
        """The smallest and the largest alpha around the best that serve nearly as well."""
        allowed = _AS_GOOD * min(self.surprises)
        low = high = self.surprises.index(min(self.surprises))
        while low > 0 and self.surprises[low - 1] <= allowed:
            low -= 1
        while high < len(self.edits) - 1 and self.surprises[high + 1] <= allowed:
            high += 1
        return self.edits[low].alpha, self.edits[high].alpha

    def evenly(self, count: int) -> tuple[float, ...]:
        """Return alphas from 0 to the largest at which the picture changes in even steps.

        Args:
            count: How many, at least 2.
        """
        alphas = (0.0, *(edit.alpha for edit in self.edits))
        changes = (0.0, *accumulate(self.changes, max))
        wanted = (changes[-1] * step / (count - 1) for step in range(count))
        return tuple(_crossing(alphas, changes, change) for change in wanted)

    def explain(self) -> str:
        """Return in a sentence what was chosen and why."""
        low, high = self.useful
        span = f"{low:g} to {high:g} serve" if low < high else "no other of those tried serves"
        tried = ", ".join(f"{edit.alpha:g}" for edit in self.edits)
        return (
            f"alpha {self.best.alpha:g}: of {tried} the base model finds that picture likeliest "
            f"under {self.best.target!r}; {span} nearly as well."
        )


def search(edits: Edits, alphas: Sequence[float]) -> AlphaSearch:
    """Make an edit at several strengths, and ask the base model about each picture.

    Args:
        edits: The edit, alone.
        alphas: Strengths to try, rising, at least one.
    """
    model = edits.model
    made = tuple(edits.at([alpha])[0] for alpha in alphas)
    before = to_images(model.decode(edits.latents))[0]
    return AlphaSearch(
        edits=made,
        surprises=tuple(surprise(model, edit.image, edit.target) for edit in made),
        changes=tuple(difference(before, edit.image) for edit in made),
    )


def surprise(model: LatentModel, image: Image.Image, prompt: str) -> float:
    """Return how little a model expects a picture under a prompt: less is likelier.

    Args:
        model: The model, with no adapter in it.
        image: The picture, at whose size it is looked at.
        prompt: What it should show.
    """
    latents = encode(model, image, *image.size).latents
    towards = model.encode_prompt(prompt)
    with denoising(model, "sample") as work:
        return work(partial(likelihood.surprise, model, latents, towards, 0))


def _crossing(alphas: tuple[float, ...], changes: tuple[float, ...], wanted: float) -> float:
    """Return the alpha at which a change that never falls reaches a value."""
    right = max(1, bisect_left(changes, wanted))
    left = right - 1
    rise = changes[right] - changes[left]
    share = (wanted - changes[left]) / rise if rise else 0.0
    return round(alphas[left] + share * (alphas[right] - alphas[left]), 4)
