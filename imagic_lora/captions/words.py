"""Prompts as words: what two of them have in common, and what is left of one without some words.

Pure text: knows no model.
"""

from collections import Counter
from difflib import SequenceMatcher
from itertools import combinations
from string import punctuation

_RUN = 4
"""Most words in the middle of a prompt that are left out together."""

_MOST_WORDS = 40
"""Words up to which each counts for itself; longer prompts are taken in pieces of several."""

_READ = 512
"""Words of a prompt that are compared: no encoder reads more tokens than that, and what comparing
takes grows with the square of them."""

_AS_GOOD = 0.1
"""Share of what the likeliest part gains over the target that a longer one may fall short."""


def parts_of(prompt: str) -> list[str]:
    """Return what is left of a prompt without a run of words; the empty prompt is one of them.

    A run is at most four words long, unless it begins or ends the prompt. Of a prompt of more than
    forty words, pieces of two or more take the place of words.

    Args:
        prompt: One prompt.
    """
    words = prompt.split()[:_READ]
    size = -(-len(words) // _MOST_WORDS)

    def may_go(start: int, end: int) -> bool:
        return end - start <= _RUN * size or start == 0 or end >= len(words)

    edges = range(0, len(words) + size, size)
    runs = ((start, end) for start, end in combinations(edges, 2) if may_go(start, end))
    parts = (" ".join(words[:start] + words[end:]).strip(" ,;.") for start, end in runs)
    return list(dict.fromkeys(parts))


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
    said, asked = _apart(caption, target)
    return bool(said and asked)


def leaves_out(caption: str, target: str) -> bool:
    """Return whether a caption says more than a target has other words for.

    Who asks for "a girl with pink hair" of "a girl with blue hair" leaves nothing out.

    Args:
        caption: What is true of an image.
        target: Prompt of the edited image.
    """
    said, asked = _apart(caption, target)
    return said > asked


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


def _apart(caption: str, target: str) -> tuple[int, int]:
    """Return how many words of a caption a target lacks, and the other way round."""
    said, asked = (Counter(filter(None, _words(text))) for text in (caption, target))
    return (said - asked).total(), (asked - said).total()


def _words(text: str) -> list[str]:
    """Return the words of a text, in lower case and without punctuation around them."""
    return [word.strip(punctuation).lower() for word in text.split()]
