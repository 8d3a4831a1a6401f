"""The stage that judges: questions about each edit, to a model here or behind an address.

Answers are a line each in `answers.jsonl`, as they were given; what was answered is never asked
again. An answer that is none counts as none, and is never guessed.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imagic_lora.bench import lines
from imagic_lora.bench.judging.asking import Answering, Questions
from imagic_lora.bench.judging.both_orders import BothOrders
from imagic_lora.bench.made import Made
from imagic_lora.bench.metrics.base import Pair, Scores
from imagic_lora.images.reading import open_image

_Key = tuple[str, str, str, str]
"""An item, a picture's hash, a judge, a question."""


@dataclass(frozen=True)
class Judge:
    """Who is asked, and what.

    Attributes:
        who: The model.
        questions: What it is asked.
    """

    who: Answering
    questions: Questions = field(default_factory=BothOrders)

    @property
    def asked(self) -> str:
        """Who is asked what, in words, with a hash of the wording."""
        wording = hashlib.sha256(self.questions.wording.encode()).hexdigest()[:16]
        return f"{self.who.model}, {type(self.questions).__name__} {wording}"

    def ask(self, pair: Pair, name: str) -> str:
        """Return what the judge says of an edit, as it is.

        Args:
            pair: The item with the edited picture.
            name: Name of the question.
        """
        return self.who.ask(self.questions.content(pair, name))


def judge_all(made: Sequence[Made], judge: Judge, log: Path, tell: Callable[[str], None]) -> None:
    """Ask what was not yet asked.

    Args:
        made: The pictures.
        judge: Who is asked.
        log: The file of answers; each is there as soon as it is known.
        tell: Takes a line for each picture.
    """
    known = _read(log)
    asked = [(one, name) for one in made for name in judge.questions.names]
    wanted = {_key(one, judge, name): (one, name) for one, name in asked}
    left = [(key, *each) for key, each in wanted.items() if key not in known]
    for number, (key, one, name) in enumerate(left, start=1):
        answer = judge.ask(Pair.of(one.item, open_image(one.path)), name)
        lines.add(log, [*key, answer])
        tell(f"{number}/{len(left)} judge, {name}, {one.row}: {one.item.name}")


def judged(made: Sequence[Made], judge: Judge | None, log: Path) -> Iterator[Scores]:
    """Yield what a judge's answers about each picture are worth.

    A picture of which an answer is none has no score; that is counted by itself.

    Args:
        made: The pictures.
        judge: Who was asked; None is nobody.
        log: The file of answers.
    """
    if judge is None:
        yield from ({} for _ in made)
        return
    known, names = _read(log), judge.questions.names
    for one in made:
        keys = [_key(one, judge, name) for name in names]
        answers = [known[key] for key in keys if key in known]
        yield judge.questions.scores(answers) if len(answers) == len(names) else {}


def _read(log: Path) -> dict[_Key, str]:
    """Return what was answered."""
    return {(item, hash_, judge, name): said for item, hash_, judge, name, said in lines.read(log)}


def _key(made: Made, judge: Judge, name: str) -> _Key:
    who = hashlib.sha256(f"{judge.who.model}\n{judge.questions.wording}".encode()).hexdigest()[:16]
    return made.item.name, made.digest, who, name
