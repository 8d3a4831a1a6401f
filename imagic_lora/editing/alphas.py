"""Which alpha serves an edit, by what the base model or another witness sees in its pictures."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from imagic_lora.editing.edits import Edits
from imagic_lora.editing.picture import Edit
from imagic_lora.editing.witnesses import BaseModel, Witness
from imagic_lora.errors import warn

_DONE = 0.15
"""Remaining pull from which an edit is done."""

_OVERDONE = -1.5
"""Remaining pull below which an edit has gone past its prompt, farther than it was before it: less is
mostly a picture that shows more plainly what was asked for."""

_FAINTEST, _STRONGEST = 0.25, 8.0
"""Strengths beyond which nothing is tried."""

_USUAL = 1.0
"""Strength at which an edit is done on most pictures, whatever the model: see `focus.reach`."""

_TRUE, _ASTRAY = 0.75, 0.35
"""Place of the input between the prompts, 0 being its caption, from which the target is true of it,
and beyond which the caption is in doubt. Far before its caption a picture is to any model that learned
from captions which are often wrong."""


@dataclass(frozen=True, kw_only=True)
class AlphaSearch:
    """One edit at several strengths, with what a witness makes of each.

    Attributes:
        edits: The edits, by rising alpha.
        pulls: How far the witness is still drawn towards the target when it looks at each: 1 is
            as far as at the input, 0 is done, less is past it; more is no picture as it knows them.
        place: Where between its caption, 0, and the target, 1, the witness sees the input.
        witness: Who looked, in words.
    """

    edits: tuple[Edit, ...]
    pulls: tuple[float, ...]
    place: float
    witness: str = BaseModel.name

    @property
    def best(self) -> Edit:
        """The edit nearest to alpha 1 that is done and not past its prompt, or else see `choose`."""
        return self.edits[self._chosen]

    @property
    def _chosen(self) -> int:
        """Place of the best edit."""
        return choose([edit.alpha for edit in self.edits], self.pulls, self.place)

    @property
    def useful(self) -> tuple[float, float]:
        """The smallest and the largest alpha around the best that serve too."""
        low = high = self._chosen
        while high < len(self.edits) - 1 and _serves(self.pulls[high + 1]):
            high += 1
        while low > 0 and _serves(self.pulls[low - 1]):
            low -= 1
        return self.edits[low].alpha, self.edits[high].alpha

    @property
    def doubt(self) -> str:
        """Why the choice is not to be trusted, in a sentence; "" where it is."""
        target = self.best.target
        if self.place > _TRUE:
            return f"{self.witness} finds {target!r} true of the input already; look at the sheet."
        if self.place > _ASTRAY:
            return (
                f"{self.witness} does not see in the input what its caption says, or does not know "
                "such pictures, so the strength that it finds is a guess; look at the sheet."
            )
        if min(self.pulls) > _DONE:
            return (
                f"at no strength that was tried does {self.witness} see {target!r} done; the "
                "weakest that comes as near as any is taken, so look at the sheet."
            )
        return ""

    def explain(self) -> str:
        """Return in a sentence what was chosen and why; what is in doubt was warned of."""
        tried = ", ".join(f"{edit.alpha:g}" for edit in self.edits)
        chosen = f"alpha {self.best.alpha:g}: of {tried} it is"
        if self.doubt:
            return f"{chosen} no more than a guess."
        low, high = self.useful
        span = f"; {low:g} to {high:g} serve" if low < high else ""
        return (
            f"{chosen} the nearest to {_USUAL:g} at which {self.witness} sees {self.best.target!r} "
            f"done{span}."
        )


def search(edits: Edits, alphas: Sequence[float], witness: Witness) -> AlphaSearch:
    """Make an edit at several strengths, and ask a witness about each picture.

    Args:
        edits: The edit, alone.
        alphas: Strengths to try, rising; none to look for them, from 1 on: see `next_alpha`.
        witness: Who looks at the pictures.
    """
    before = witness.before()
    made: dict[float, Edit] = {}
    pulls: dict[float, float] = {}
    if not alphas and before.place > _TRUE:
        alphas = (_USUAL,)  # what is left tells nothing
    for alpha in alphas or _sought(pulls):
        (made[alpha],), latents = edits.with_latents([alpha])
        pulls[alpha] = witness.after(made[alpha].image, latents).remaining(before)
    rising = sorted(made)
    found = AlphaSearch(
        edits=tuple(made[alpha] for alpha in rising),
        pulls=tuple(pulls[alpha] for alpha in rising),
        place=before.place,
        witness=witness.name,
    )
    if found.doubt:
        warn(found.doubt)
    return found


def _sought(pulls: Mapping[float, float]) -> Iterator[float]:
    """Yield one strength after another, as long as the pulls at those before ask for one."""
    while (alpha := next_alpha(dict(sorted(pulls.items())))) is not None:
        yield alpha


def next_alpha(tried: Mapping[float, float]) -> float | None:
    """Return the strength to try next, or None where it is known which serves.

    Alpha 1 is as much on any model, so it is left only where the model says so: for twice as much as
    long as the edit is not done, for half as much where it has gone far past its prompt.

    Args:
        tried: The remaining pull at each strength so far, by rising alpha.
    """
    if not tried:
        return _USUAL
    weakest, strongest = min(tried), max(tried)
    if min(tried.values()) > _DONE:
        return 2 * strongest if strongest < _STRONGEST else None
    if tried[weakest] < _OVERDONE:
        return weakest / 2 if weakest > _FAINTEST else None
    return None


def choose(
    strengths: Sequence[float], pulls: Sequence[float], place: float, usual: float = _USUAL
) -> int:
    """Return which of several strengths serves.

    It is the nearest to the usual one that is done and not past its prompt; or else the first that is
    done, or comes as near as any. Where the target seems true of the input already, nothing can be
    told from what is left of it, and the nearest to the usual one is taken.

    Args:
        strengths: Strengths, rising, at least one.
        pulls: The remaining pull at each; all 0 between prompts that say the same.
        place: Where between its caption, 0, and the target, 1, the base model sees the input.
        usual: Strength that serves most pictures.
    """
    if place > _TRUE and any(pulls):
        return _nearest(strengths, range(len(strengths)), usual)
    serving = [index for index, remaining in enumerate(pulls) if _serves(remaining)]
    if serving:
        return _nearest(strengths, serving, usual)
    least = min(pulls)
    enough = _DONE if least <= _DONE else least + _DONE * max(0.0, 1 - least)
    return next(index for index, remaining in enumerate(pulls) if remaining <= enough)


def _serves(remaining: float) -> bool:
    """Return whether an edit with so much left of its pull is done, and not past its prompt."""
    return _OVERDONE <= remaining <= _DONE


def _nearest(strengths: Sequence[float], allowed: Iterable[int], usual: float) -> int:
    """Return which of the strengths that are allowed is the nearest to the usual one."""
    return min(allowed, key=lambda index: abs(strengths[index] - usual))
