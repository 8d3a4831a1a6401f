"""Texts that people give: what everything else may rely on."""

import unicodedata
from typing import Any

from imagic_lora.errors import PromptError, quoted

MAX_PROMPT = 10_000
"""Most characters of a prompt; encoders read some hundred, and what compares prompts is slow."""

_PUNCTUATION = {"Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps"}
_BLANK = {"Cc", "Cf", "Zl", "Zp", "Zs"}  # controls, formats such as zero width, and spaces


def text(value: Any, what: str = "value") -> str:
    """Return a text without space around it; one that shows nothing, as zero width does, is empty.

    Args:
        value: What was given.
        what: What it is, for the message.

    Raises:
        PromptError: It is no text, cannot be written to a file, or is too long.
    """
    if not isinstance(value, str):
        raise PromptError(f"The {what} was of type {type(value).__name__}, allowed is text.")
    if len(value) > MAX_PROMPT:
        raise PromptError(
            f"The {what} has {len(value)} characters, allowed are {MAX_PROMPT}; shorten it."
        )
    kinds = {unicodedata.category(character) for character in value}
    if "\0" in value or "Cs" in kinds:
        raise PromptError(
            f"The {what} holds a character that is none, such as NUL or half of one; type it anew."
        )
    return "" if kinds <= _BLANK else value.strip()


def prompt(value: Any, what: str = "target", *, required: bool = True) -> str:
    """Return a text that says something; punctuation alone is no prompt.

    Args:
        value: What was given.
        what: What it is, for the message, e.g. "target" or "negative prompt".
        required: Whether it must not be empty.

    Raises:
        PromptError: As of `text`; or it has no words, or is empty though it is required.
    """
    found = text(value, what)
    kinds = {unicodedata.category(character) for character in found}
    if found and kinds <= _BLANK | _PUNCTUATION:
        raise PromptError(f"The {what} was {quoted(found)}, which has no words; say it in words.")
    if required and not found:
        raise PromptError(f"The {what} is empty; say in words what the picture should show.")
    return found
