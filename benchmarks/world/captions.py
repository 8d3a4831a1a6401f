"""Portrait -> caption, in the words that people use in prompts.

Every value of every attribute has at least one phrase, the first of which is
the canonical one; the others are ways people say the same.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np

from benchmarks.world.portrait import ATTRIBUTES, Portrait

EMPTY_SHARE = 0.1
"""Share of empty captions, for classifier-free guidance."""

MENTION_SHARES = (0.15, 0.6, 0.9)
"""Terse, middling and full captions: the chance of each attribute to be mentioned."""

_EXPRESSIONS = {
    "happy": ("with a happy face", "smiling", "happy", "with a smile"),
    "sad": ("with a sad face", "crying", "sad", "with tears"),
    "surprised": ("with a surprised face", "surprised", "looking surprised"),
}
_BACKGROUNDS = {
    "meadow": ("in a meadow", "on a meadow", "on green grass", "with a meadow in the background"),
    "night": (
        "at night",
        "under the moon",
        "under a night sky",
        "with a night sky in the background",
    ),
    "sunset": ("at sunset", "in front of a sunset", "with a sunset in the background"),
    "snow": ("in the snow", "in winter", "with snow in the background"),
}
_HEADS = {
    "front": ("looking straight ahead", "facing forward", "looking at the viewer"),
    "left": ("looking left", "looking to the left", "with the head turned left"),
    "right": ("looking right", "looking to the right", "with the head turned right"),
}

PHRASES: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "subject": {name: (f"a {name}",) for name in ATTRIBUTES["subject"]},
        "hair": {color: (f"with {color} hair",) for color in ATTRIBUTES["hair"]},
        "ears": {
            "none": ("without animal ears", "with no animal ears", "with normal ears"),
            "cat": ("with cat ears", "with the ears of a cat"),
            "bunny": ("with bunny ears", "with rabbit ears", "with the ears of a bunny"),
        },
        "eyes": {color: (f"with {color} eyes",) for color in ATTRIBUTES["eyes"]},
        "expression": _EXPRESSIONS,
        "accessory": {
            "none": (
                "without accessories",
                "with no accessories",
                "without a flower",
                "without a hat",
                "without glasses",
            ),
            "flower": ("with a flower", "with a flower in the hair", "wearing a flower"),
            "hat": ("with a hat", "wearing a hat"),
            "glasses": ("with glasses", "wearing glasses"),
        },
        "clothes": {
            color: (f"in {color} clothes", f"wearing a {color} shirt", f"with {color} clothes")
            for color in ATTRIBUTES["clothes"]
        },
        "background": _BACKGROUNDS,
        "arms": {
            "down": ("with arms down", "with the arms down", "with lowered arms"),
            "raised": ("with arms raised", "with raised arms", "raising the arms"),
        },
        "head": _HEADS,
        "size": {
            "close": ("in a close-up", "up close", "close to the camera"),
            "far": ("from far away", "far away", "seen from a distance"),
        },
    }
)

_STYLES = ("", "", "", "", "a drawing of ", "a picture of ", "a portrait of ", "an image of ")
_GROUPS = (  # one "with" for neighbours that share it: "with red hair, cat ears and glasses"
    "with ",
    "wearing ",
)


def phrase(attribute: str, value: str) -> str:
    """The canonical phrase that names a value, such as "with a flower"."""
    return PHRASES[attribute][value][0]


def full_caption(portrait: Portrait) -> str:
    """All attributes of a portrait in canonical words and fixed order."""
    return caption_naming(portrait, ATTRIBUTES)


def caption_naming(portrait: Portrait, attributes: Iterable[str]) -> str:
    """A caption that names the subject and the given attributes, and nothing else.

    Args:
        portrait: What is described.
        attributes: Names from ATTRIBUTES; "subject" may be among them.

    Returns:
        For example "a girl with cat ears, at night".
    """
    named = set(attributes) - {"subject"}
    ordered = [name for name in ATTRIBUTES if name in named]
    return _sentence(
        phrase("subject", portrait.subject),
        [phrase(name, getattr(portrait, name)) for name in ordered],
    )


def random_caption(
    portrait: Portrait,
    generator: np.random.Generator,
    mentions: tuple[float, ...] = MENTION_SHARES,
) -> tuple[str, frozenset[str]]:
    """A caption as in training: random attributes, words and order.

    Returns:
        The caption and the attributes that it names; ("", nothing) for one in ten.
    """
    if generator.random() < EMPTY_SHARE:
        return "", frozenset()
    others = [name for name in ATTRIBUTES if name != "subject"]
    share = generator.choice(mentions)
    named = [name for name in others if generator.random() < share]
    generator.shuffle(named)
    style = _STYLES[generator.integers(len(_STYLES))]
    subject = _subject(portrait, generator)
    parts = [_pick(name, getattr(portrait, name), generator) for name in named]
    return style + _sentence(subject, parts), frozenset(["subject", *named])


def misremembered(portrait: Portrait, generator: np.random.Generator, share: float) -> Portrait:
    """A portrait as somebody tells it who has a share of its attributes wrong.

    Captions that people find beside pictures are like that, and a model that learned from them
    needs a stronger guidance.
    """
    if not share:
        return portrait
    wrong = {
        name: values[generator.integers(len(values))]
        for name, values in ATTRIBUTES.items()
        if name != "subject" and generator.random() < share
    }
    return portrait.replace(**wrong)


def vocabulary_texts() -> list[str]:
    """Texts that contain every word that a caption can contain."""
    phrases = [p for values in PHRASES.values() for options in values.values() for p in options]
    return [*phrases, *_STYLES, "the", "and", ","]


def _subject(portrait: Portrait, generator: np.random.Generator) -> str:
    name = portrait.subject
    return f"the {name}" if generator.random() < 0.1 else f"a {name}"


def _pick(attribute: str, value: str, generator: np.random.Generator) -> str:
    options = PHRASES[attribute][value]
    if generator.random() < 0.5:
        return options[0]
    return options[generator.integers(len(options))]


def _sentence(subject: str, parts: list[str]) -> str:
    """Join phrases, saying a repeated "with" once: "a girl with red hair and a flower, at night"."""
    runs: list[list[str]] = []
    for part in parts:
        word = _leading(part)
        if runs and word and _leading(runs[-1][0]) == word:
            runs[-1].append(part.removeprefix(word))
        else:
            runs.append([part])
    text = subject
    for position, run in enumerate(runs):
        joined = ", ".join(run[:-1]) + " and " + run[-1] if len(run) > 1 else run[0]
        text += (" " if position == 0 else ", ") + joined
    return text


def _leading(part: str) -> str:
    return next((word for word in _GROUPS if part.startswith(word)), "")
