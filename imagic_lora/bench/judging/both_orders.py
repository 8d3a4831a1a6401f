"""The question that is our own: whether the edit was made, asked in both orders of the two pictures."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from imagic_lora.bench.judging.asking import Content, scored
from imagic_lora.bench.metrics.base import Pair, Scores

QUESTION = (
    "One of these two pictures is a photo, the other an edit of it. The {original} picture is the "
    "photo. The edit was to show this: {target!r}. Does the {edited} picture show it, while the "
    "subject and the place are still those of the {original} picture? Say in one sentence why, then "
    "end with a line that is 'Answer: yes' or 'Answer: no' and nothing else."
)

_VERDICT = re.compile(r"^\W*answer\W+(yes|no)\W*$", re.IGNORECASE)


@dataclass(frozen=True)
class BothOrders:
    """Asks whether the target is shown: yes in both orders is 1, yes in one is 0.5.

    Attributes:
        wording: What is asked; with {target}, and {original} and {edited} for "first" or "second".
    """

    wording: str = QUESTION
    names: ClassVar[tuple[str, ...]] = ("photo first", "edit first")

    def content(self, pair: Pair, name: str) -> Content:
        """Return the two pictures in an order, and the question."""
        pictures, places = [pair.before, pair.after], ["first", "second"]
        if name != self.names[0]:
            pictures.reverse()
            places.reverse()
        original, edited = places
        text = self.wording.format(target=pair.item.target, original=original, edited=edited)
        return [*pictures, text]

    def scores(self, answers: Sequence[str]) -> Scores:
        """Return the share of the orders in which the answer was yes."""
        said = [verdict(answer) for answer in answers]
        return scored({"judged": None if None in said else sum(map(bool, said)) / len(said)})


def verdict(answer: str) -> bool | None:
    """Return whether an answer says yes; None where it says neither.

    Args:
        answer: The answer; what counts is its last line.
    """
    found = _VERDICT.match((answer.strip().splitlines() or [""])[-1])
    return None if found is None else found[1].lower() == "yes"
