"""Which alpha serves an edit, by what the base model or another witness sees in its pictures."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from imagic_lora.editing import focus
from imagic_lora.editing.edits import Edits
from imagic_lora.editing.picture import Edit
from imagic_lora.editing.witnesses import BaseModel, Witness
from imagic_lora.errors import warn

_DONE = 0.15
"""Remaining pull from which an edit is done."""

_WHOLLY = 0.0
"""Remaining pull from which a weaker edit is taken for one that spills."""

_SPILLED = 0.15
"""Spill from which no stronger edit is looked for, but a weaker one: see `focus.spill`."""

_WEAKER = (0.75, 0.5)
"""Shares of a strength that are tried then, in turn."""

_STRONGEST = 8.0
"""Strength beyond which nothing is tried."""

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
        spills: How much each changed where the target asks for little: see `focus.spill`.
        place: Where between its caption, 0, and the target, 1, the witness sees the input.
        witness: Who looked, in words.
    """

    edits: tuple[Edit, ...]
    pulls: tuple[float, ...]
    spills: tuple[float, ...]
    place: float
    witness: str = BaseModel.name

    @property
    def best(self) -> Edit:
        """The edit nearest to alpha 1 that is done, a weaker one if it spills; or else see `choose`."""
        return self.edits[self._chosen]

    @property
    def _chosen(self) -> int:
        """Place of the best edit."""
        return choose(self._alphas, self.pulls, self.spills, self.place)

    @property
    def _alphas(self) -> list[float]:
        """The strengths, rising."""
        return [edit.alpha for edit in self.edits]

    @property
    def useful(self) -> tuple[float, float]:
        """The smallest and the largest alpha around the best that serve too."""
        low = high = self._chosen
        most = max(_SPILLED, self.spills[low])
        while high < len(self.edits) - 1 and self._serves(high + 1, most):
            high += 1
        while low > 0 and self._serves(low - 1, most):
            low -= 1
        return self.edits[low].alpha, self.edits[high].alpha

    def _serves(self, index: int, most: float) -> bool:
        """Return whether an edit is done, and spills no more than some do."""
        return self.pulls[index] <= _DONE and self.spills[index] <= most

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
        done = f"at which {self.witness} sees {self.best.target!r} done"
        if self._chosen < _nearest_done(self._alphas, self.pulls):
            return f"{chosen} one {done}, and stronger ones change more than that{span}."
        return f"{chosen} the nearest to {_USUAL:g} {done}{span}."


def search(edits: Edits, alphas: Sequence[float], witness: Witness) -> AlphaSearch:
    """Make an edit at several strengths, and ask a witness about each picture.

    Args:
        edits: The edit, alone.
        alphas: Strengths to try, rising; none to look for them, from 1 on: see `next_alpha`.
        witness: Who looks at the pictures.
    """
    before = witness.before()
    made: dict[float, Edit] = {}
    seen: dict[float, Verdict] = {}
    if not alphas and before.place > _TRUE:
        alphas = (_USUAL,)  # what is left tells nothing
    for alpha in alphas or _sought(seen):
        (made[alpha],), latents = edits.with_latents([alpha])
        pull = witness.after(made[alpha].image, latents).remaining(before)
        seen[alpha] = Verdict(pull, _spill(edits, latents))
    rising = sorted(made)
    found = AlphaSearch(
        edits=tuple(made[alpha] for alpha in rising),
        pulls=tuple(seen[alpha].pull for alpha in rising),
        spills=tuple(seen[alpha].spill for alpha in rising),
        place=before.place,
        witness=witness.name,
    )
    if found.doubt:
        warn(found.doubt)
    return found


def _spill(edits: Edits, latents: torch.Tensor) -> float:
    """Return how much an edit changed where its target asks for little."""
    change = edits.change
    before, after = (each.to(change.device) for each in (edits.latents, latents))
    return focus.spill(before, after, change).item()


def _sought(seen: Mapping[float, "Verdict"]) -> Iterator[float]:
    """Yield one strength after another, as long as what is seen at those before asks for one."""
    while (alpha := next_alpha(seen)) is not None:
        yield alpha


@dataclass(frozen=True)
class Verdict:
    """What is made of an edit at one strength.

    Attributes:
        pull: How much of the pull towards the target remains.
        spill: How much changed where the target asks for little.
    """

    pull: float
    spill: float


def next_alpha(tried: Mapping[float, Verdict]) -> float | None:
    """Return the strength to try next, or None where it is known which serves.

    Alpha 1 is as much on any model, so it is left only where the pictures say so: for twice as much
    as long as the edit is not done and changes little else, and from the first that is done for
    weaker ones, as long as they are wholly done and still change what nobody asked for.

    Args:
        tried: What was seen at each strength so far.
    """
    if not tried:
        return _USUAL
    done = [alpha for alpha, verdict in tried.items() if verdict.pull <= _DONE]
    if not done:
        strongest = max(tried)
        helps = strongest < _STRONGEST and tried[strongest].spill <= _SPILLED
        return 2 * strongest if helps else None
    found = alpha = max(done)
    for share in _WEAKER:
        if tried[alpha].spill <= _SPILLED:
            return None
        alpha = share * found
        if alpha not in tried:
            return alpha
        if tried[alpha].pull > _WHOLLY:
            return None
    return None


def choose(
    strengths: Sequence[float],
    pulls: Sequence[float],
    spills: Sequence[float],
    place: float,
    usual: float = _USUAL,
) -> int:
    """Return which of several strengths serves.

    It is the nearest to the usual one that is done; where that spills, the next weaker one as long
    as it is wholly done. If none is done it is the first that comes as near as any. Where the target
    seems true of the input already, nothing can be told from what is left of it, and the nearest to
    the usual one is taken.

    Args:
        strengths: Strengths, rising, at least one.
        pulls: The remaining pull at each; all 0 between prompts that say the same.
        spills: How much each changed where the target asks for little.
        place: Where between its caption, 0, and the target, 1, the base model sees the input.
        usual: Strength that serves most pictures.
    """
    if place > _TRUE and any(pulls):
        return _nearest(strengths, range(len(strengths)), usual)
    least = min(pulls)
    if least > _DONE:
        enough = least + _DONE * max(0.0, 1 - least)
        return next(index for index, remaining in enumerate(pulls) if remaining <= enough)
    found = _nearest_done(strengths, pulls, usual)
    while found and spills[found] > _SPILLED and pulls[found - 1] <= _WHOLLY:
        found -= 1
    return found


def _nearest_done(strengths: Sequence[float], pulls: Sequence[float], usual: float = _USUAL) -> int:
    """Return which strength is the nearest to the usual one of those that are done."""
    done = [index for index, remaining in enumerate(pulls) if remaining <= _DONE]
    return _nearest(strengths, done, usual)


def _nearest(strengths: Sequence[float], allowed: Iterable[int], usual: float) -> int:
    """Return which of the strengths that are allowed is the nearest to the usual one."""
    return min(allowed, key=lambda index: abs(strengths[index] - usual))
