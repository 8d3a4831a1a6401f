"""What every model that is asked about pictures is, and what every set of questions."""

from collections.abc import Sequence
from typing import Protocol

from PIL import Image

from imagic_lora.bench.metrics.base import Pair, Scores

Content = Sequence[str | Image.Image]
"""What is asked: texts and pictures, in their order."""


class Answering(Protocol):
    """A vision-language model, wherever it runs."""

    @property
    def model(self) -> str:
        """Its name, which tells its answers from those of others."""

    def ask(self, content: Content) -> str:
        """Return its answer as it is, without chance; "" for a refusal.

        Args:
            content: What is asked.

        Raises:
            JudgeError: When there is no answer.
        """


class Questions(Protocol):
    """What is asked about every edit, and what the answers are worth."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the questions."""

    @property
    def wording(self) -> str:
        """All that is asked, which tells answers to it from others."""

    def content(self, pair: Pair, name: str) -> Content:
        """Return what is asked about an edit.

        Args:
            pair: The item with the edited picture.
            name: Name of the question.
        """

    def scores(self, answers: Sequence[str]) -> Scores:
        """Return what the answers are worth; none of them where one is no answer.

        Args:
            answers: An answer to each question, as it was given.
        """


def scored(found: Scores) -> Scores:
    """Return scores, and whether there are any: a refusal is counted, and never guessed.

    Args:
        found: Scores of which each is None where there was no answer.
    """
    refused = None in found.values()
    return {**(dict.fromkeys(found) if refused else found), "unanswered": float(refused)}
