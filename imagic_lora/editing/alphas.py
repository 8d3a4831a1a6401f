"""What prompt strength does to one edit: which alpha serves, and how the change grows with it."""

from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate

from imagic_lora.editing.picture import Edit

AUTO_ALPHAS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
"""The strengths that are tried when none is given."""

_AS_GOOD = 1.15
"""Surprise up to which, as a share of the least, a strength counts as useful."""


@dataclass(frozen=True, kw_only=True)
class Strength:
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


def _crossing(alphas: tuple[float, ...], changes: tuple[float, ...], wanted: float) -> float:
    """Return the alpha at which a change that never falls reaches a value."""
    right = max(1, bisect_left(changes, wanted))
    left = right - 1
    rise = changes[right] - changes[left]
    share = (wanted - changes[left]) / rise if rise else 0.0
    return round(alphas[left] + share * (alphas[right] - alphas[left]), 4)
