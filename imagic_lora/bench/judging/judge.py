"""The stage that judges: whether each edit was made, asked in both orders of the two pictures.

Answers are a line each in `answers.jsonl`, as they were given; what was answered is never asked
again. An answer that is none counts as none, and is never guessed.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagic_lora.bench import lines
from imagic_lora.bench.judging.server import Server
from imagic_lora.bench.made import Made
from imagic_lora.bench.metrics.base import Pair, Scores
from imagic_lora.images.reading import open_image

QUESTION = (
    "One of these two pictures is a photo, the other an edit of it. The {original} picture is the "
    "photo. The edit was to show this: {target!r}. Does the {edited} picture show it, while the "
    "subject and the place are still those of the {original} picture? Say in one sentence why, then "
    "end with a line that is 'Answer: yes' or 'Answer: no' and nothing else."
)
ORDERS = ("photo first", "edit first")

_VERDICT = re.compile(r"^\W*answer\W+(yes|no)\W*$", re.IGNORECASE)

_Key = tuple[str, str, str, str]
"""An item, a picture's hash, a judge, an order."""


@dataclass(frozen=True)
class Judge:
    """Who is asked.

    Attributes:
        server: The model.
        question: What it is asked; with {target}, and {original} and {edited} for "first" or
            "second".
    """

    server: Server
    question: str = QUESTION

    def ask(self, pair: Pair, order: str) -> str:
        """Return what the judge says of an edit, as it is.

        Args:
            pair: The item with the edited picture.
            order: One of ORDERS.
        """
        pictures, places = [pair.before, pair.after], ["first", "second"]
        if order != ORDERS[0]:
            pictures.reverse()
            places.reverse()
        original, edited = places
        text = self.question.format(target=pair.item.target, original=original, edited=edited)
        return self.server.ask(text, pictures)


def verdict(answer: str) -> bool | None:
    """Return whether an answer says yes; None where it says neither.

    Args:
        answer: The answer; what counts is its last line.
    """
    found = _VERDICT.match((answer.strip().splitlines() or [""])[-1])
    return None if found is None else found[1].lower() == "yes"


def judge_all(made: Sequence[Made], judge: Judge, log: Path, tell: Callable[[str], None]) -> None:
    """Ask what was not yet asked.

    Args:
        made: The pictures.
        judge: Who is asked.
        log: The file of answers; each is there as soon as it is known.
        tell: Takes a line for each picture.
    """
    known = _read(log)
    wanted = {_key(one, judge, order): (one, order) for one in made for order in ORDERS}
    left = [(key, *each) for key, each in wanted.items() if key not in known]
    for number, (key, one, order) in enumerate(left, start=1):
        answer = judge.ask(Pair.of(one.item, open_image(one.path)), order)
        lines.add(log, [*key, answer])
        tell(f"{number}/{len(left)} judge, {order}, {one.row}: {one.item.name}")


def judged(made: Sequence[Made], judge: Judge | None, log: Path) -> Iterator[Scores]:
    """Yield what a judge said of each picture: 1 for yes in both orders, 0 for no, 0.5 for each once.

    A picture of which either answer is none has no score; that is counted by itself.

    Args:
        made: The pictures.
        judge: Who was asked; None is nobody.
        log: The file of answers.
    """
    known = {} if judge is None else _read(log)
    for one in made:
        keys = [] if judge is None else [_key(one, judge, order) for order in ORDERS]
        said = [verdict(known[key]) for key in keys if key in known]
        yield _score(said) if len(said) == len(ORDERS) else {}


def _score(said: Sequence[bool | None]) -> Scores:
    refused = None in said
    success = None if refused else sum(map(bool, said)) / len(said)
    return {"judged": success, "unanswered": float(refused)}


def _read(log: Path) -> dict[_Key, str]:
    """Return what was answered."""
    return {
        (item, hash_, judge, order): said for item, hash_, judge, order, said in lines.read(log)
    }


def _key(made: Made, judge: Judge, order: str) -> _Key:
    picture = hashlib.sha256(made.path.read_bytes()).hexdigest()[:16]
    who = hashlib.sha256(f"{judge.server.model}\n{judge.question}".encode()).hexdigest()[:16]
    return made.item.name, picture, who, order
