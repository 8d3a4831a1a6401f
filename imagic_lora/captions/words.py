"""Prompts as words: what two of them have in common, and what is left of one without some words.

Pure text: knows no model.
"""

from collections import Counter
from collections.abc import Iterable
from difflib import SequenceMatcher
from itertools import combinations
from string import punctuation

Run = tuple[int, int]
"""Words of a prompt that are left out together: the first, and the first after them."""

_RUN = 4
"""Most pieces in the middle of a prompt that are left out together."""

_PIECES = 10
"""Words up to which each is a piece; longer prompts have as many pieces of several words."""

_READ = 512
"""Words of a prompt that are compared: no encoder reads more tokens than that, and what comparing
takes grows with the square of them."""

_AS_GOOD = 0.1
"""Share of what the likeliest part gains over the target that a longer one may fall short."""


def parts_of(prompt: str) -> dict[str, Run]:
    """Return what is left of a prompt without a run of its pieces, and which words that are.

    A run is at most four pieces long, unless it begins or ends the prompt; one is the whole prompt.

    Args:
        prompt: One prompt.
    """
    count, size = _measured(prompt)

    def may_go(start: int, end: int) -> bool:
        return end - start <= _RUN * size or start == 0 or end == count

    edges = [*range(0, count, size), count]
    return _left(prompt, (run for run in combinations(edges, 2) if may_go(*run)))


def finer(prompt: str, run: Run) -> dict[str, Run]:
    """Return what is left of a prompt where a run ends within a piece, or begins there.

    Args:
        prompt: One prompt.
        run: A run of its pieces.
    """
    (count, size), (start, end) = _measured(prompt), run
    moves = [move for move in range(1 - size, size) if move]
    moved = [(start + move, end) for move in moves] + [(start, end + move) for move in moves]
    return _left(prompt, ((first, last) for first, last in moved if 0 <= first < last <= count))


def most_finer(prompt: str) -> int:
    """Return how many parts `finer` gives at most.

    Args:
        prompt: One prompt.
    """
    _, size = _measured(prompt)
    return 4 * (size - 1)


def _measured(prompt: str) -> tuple[int, int]:
    """Return how many words of a prompt count, and how many make a piece."""
    count = min(len(prompt.split()), _READ)
    return count, max(1, -(-count // _PIECES))


def _left(prompt: str, runs: Iterable[Run]) -> dict[str, Run]:
    """Return what is left of a prompt without each of some runs."""
    words = prompt.split()[:_READ]
    return {
        " ".join(words[:start] + words[end:]).strip(" ,;."): (start, end) for start, end in runs
    }


def in_common(caption: str, target: str) -> str:
    """Return the words of a target that a caption has too, in their order; "" where there are none.

    Args:
        caption: What is true of an image.
        target: Prompt of the edited image.
    """
    pairs = zip(target.split(), lacking(target, caption), strict=False)
    return " ".join(word for word, new in pairs if not new).strip(" ,;.")


def says_more(caption: str, target: str) -> bool:
    """Return whether a caption says something that a target, which asks for more, is silent about.

    Nobody who asks for "a girl with a flower" wants the cat ears gone that the caption names, but
    the difference between the two prompts is about both. A target without a new word can only mean
    what it leaves out.

    Args:
        caption: What is true of an image.
        target: Prompt of the edited image.
    """
    said, asked = _counted(caption), _counted(target)
    return bool(said - asked and asked - said)


def leaves_out(caption: str, target: str) -> bool:
    """Return whether a caption says more than a target repeats of it, or than it has other words for.

    Who asks for "a girl with pink hair" of "a girl with blue hair" leaves nothing out.

    Args:
        caption: What is true of an image.
        target: Prompt of the edited image.
    """
    said, asked = _counted(caption), _counted(target)
    return (said - asked).total() > min((asked - said).total(), (said & asked).total())


def lacking(prompt: str, caption: str) -> list[bool]:
    """Return for each word of a prompt whether a caption lacks it there.

    Args:
        prompt: One prompt; what is compared are the words that an encoder could read.
        caption: What is known to be true of an image.
    """
    said, words = _words(caption)[:_READ], _words(prompt)[:_READ]
    new = [True] * len(words)
    for same in SequenceMatcher(None, said, words, autojunk=False).get_matching_blocks():
        new[same.b : same.b + same.size] = [False] * same.size
    return new


def longest_of_the_likely(rated: dict[str, float], unedited: float) -> str:
    """Return the longest caption that does nearly as well as the best; of two, the likelier.

    Args:
        rated: How little the model expects the image under each caption.
        unedited: The same under the whole target.
    """
    least = min(rated.values())
    allowed = least + _AS_GOOD * max(0.0, unedited - least)
    likely = [text for text, value in rated.items() if value <= allowed]
    return max(likely, key=lambda text: (len(text.split()), -rated[text]))


def _counted(text: str) -> Counter[str]:
    """Return how often a text says each of its words."""
    return Counter(filter(None, _words(text)))


def _words(text: str) -> list[str]:
    """Return the words of a text, in lower case and without punctuation around them."""
    return [word.strip(punctuation).lower() for word in text.split()]
