"""What of a target prompt is true of an image already.

It is the caption of an image that has none, and where an edit starts if the caption says more.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from functools import partial
from itertools import combinations
from string import punctuation

import torch

from imagic_lora.captions.likelihood import surprise
from imagic_lora.conditioning import Conditioning
from imagic_lora.errors import heard_by
from imagic_lora.memory import denoising, peak_bytes
from imagic_lora.models.base import LatentModel
from imagic_lora.progress import OnProgress, Ticker

_RUN = 4
"""Most words in the middle of a prompt that are left out together."""

_MOST_WORDS = 40
"""Words up to which each counts for itself; longer prompts are taken in pieces of several."""

_GLANCES, _LOOKS = 3, 8
"""Noised copies of the image that are looked at for every part, and for the finalists."""

_FINALISTS = 8

_AT_ONCE = 32
"""Prompts that are encoded together: the text encoder is fetched to the device for them, and sent
back; the embeddings of all prompts at once would take memory that no plan has counted."""

_AS_GOOD = 0.1
"""Share of what the likeliest part gains over the target that a longer one may fall short."""


def shared_parts(prompt: str, caption: str = "") -> list[str]:
    """Return what is left of a prompt without a run of words, some of them new to a caption.

    A run is at most four words long, unless it begins or ends the prompt, and takes at most three
    with it that the caption has. Of a prompt of more than forty words, pieces of two or more take
    the place of words.

    Args:
        prompt: One prompt.
        caption: What is known to be true of an image. If it is empty, every word is new, and the
            empty caption is one of the parts.
    """
    words, new = prompt.split(), _new_words(prompt, caption)
    size = -(-len(words) // _MOST_WORDS)
    longest = _RUN * size

    def may_go(start: int, end: int) -> bool:
        run = new[start:end]
        short = len(run) <= longest or start == 0 or end >= len(words)
        return any(run) and short and run.count(False) < longest

    edges = range(0, len(words) + size, size)
    runs = ((start, end) for start, end in combinations(edges, 2) if may_go(start, end))
    parts = (" ".join(words[:start] + words[end:]).strip(" ,;.") for start, end in runs)
    return list(dict.fromkeys(parts))


def says_more(caption: str, target: str) -> bool:
    """Return whether a caption says something that a target, which asks for more, is silent about.

    Nobody who asks for "a girl with a flower" wants the cat ears gone that the caption names, but
    the difference between the two prompts is about both. A target without a new word can only mean
    what it leaves out.

    Args:
        caption: What is true of an image.
        target: Prompt of the edited image.
    """
    said, asked = (Counter(filter(None, _words(text))) for text in (caption, target))
    return bool(said - asked and asked - said)


def _words(text: str) -> list[str]:
    """Return the words of a text, in lower case and without punctuation around them."""
    return [word.strip(punctuation).lower() for word in text.split()]


def _new_words(prompt: str, caption: str) -> list[bool]:
    """Return for each word of a prompt whether a caption lacks it there."""
    said, words = _words(caption), _words(prompt)
    new = [True] * len(words)
    for same in SequenceMatcher(None, said, words, autojunk=False).get_matching_blocks():
        new[same.b : same.b + same.size] = [False] * same.size
    return new


def find(
    model: LatentModel,
    latents: torch.Tensor,
    target: str,
    caption: str,
    seed: int,
    on_progress: OnProgress,
) -> str:
    """Return the part of a target prompt that is true of an image before it is edited.

    It is the longest of those parts under which the base model finds the image nearly as likely as
    under any. All parts get a glance; those that do well are looked at again.

    Args:
        model: The model, with no adapter in it, since that would know the image by heart.
        latents: Latents of the image, shape (1, C, h, w).
        target: Prompt of the edited image.
        caption: What is known to be true of the image; it may be empty.
        seed: Seed of the noises.
        on_progress: Called after each prompt that was tried.

    Source: Li et al. 2023 (Diffusion Classifier), arXiv 2303.16203, equation 5: the likelihood.
    """
    parts = shared_parts(target, caption)
    # Of a target that is too long, the edit will say so, once.
    with heard_by(lambda _: None):
        prompts = dict(_encoded(model, [target, *parts]))
    finalists = min(_FINALISTS, len(parts))
    tick = Ticker(
        "caption",
        len(parts) + finalists + 1,
        on_progress,
        partial(peak_bytes, model.plan.device),
    )

    def rate(texts: Iterable[str], looks: int) -> dict[str, float]:
        found = {}
        for text in texts:
            prompt = prompts[text].to(model.plan.device, torch.float32)
            found[text] = work(partial(surprise, model, latents, prompt, seed, looks))
            tick()
        return found

    with denoising(model, "sample") as work:
        glanced = rate(parts, _GLANCES)
        rated = rate([*sorted(parts, key=glanced.__getitem__)[:finalists], target], _LOOKS)
    return longest_of_the_likely(rated, rated.pop(target))


def _encoded(model: LatentModel, texts: list[str]) -> Iterator[tuple[str, Conditioning]]:
    """Yield texts with their conditionings, on the CPU."""
    for start in range(0, len(texts), _AT_ONCE):
        some = texts[start : start + _AT_ONCE]
        yield from zip(
            some, model.encode_prompt(*some).to("cpu", torch.float32).rows(), strict=True
        )


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
