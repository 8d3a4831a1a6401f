"""What PEFT's settings multiply a LoRA by, layer by layer.

They stand in the header of diffusers' files, or in a file beside PEFT's own. A setting that changes
what a LoRA does and is not known here is refused, never passed over.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagic_lora.errors import AdapterFileError, quoted
from imagic_lora.settings import is_number

_ALPHA = 8
"""PEFT's own default."""

_VARIANTS = (
    "alora_invocation_tokens",
    "arrow_config",
    "kasa_config",
    "layer_replication",
    "monteclora_config",
    "use_bdlora",
    "use_qalora",
)
"""Settings of PEFT that are empty where a LoRA is a plain one."""

_STARTS = (None, True, False, "gaussian", "eva", "mica", "orthogonal")
"""How a LoRA may have begun; other ways also change the weights that it is added to."""

_ATOM = r"(?:[\w\s/-]|\\[.dDwWsS]|\.|\[\^?[\w\s.-]+\])"
_READ = re.compile(rf"\^?(?:{_ATOM}[*+?]?|[()|]|\(\?:)*\$?", re.ASCII)
_LONGEST, _MOST_REPEATS, _MOST_CHOICES, _MOST_OPEN = 256, 2, 5, 32
"""Limits of patterns, since whoever wrote a file could make some take years to match."""


@dataclass(frozen=True)
class Scales:
    """What PEFT multiplies the LoRA of each layer by.

    Attributes:
        alpha: Alpha of the layers that no pattern matches; None is their rank.
        patterns: Alphas by what the layers' paths end with; the first that matches counts.
        by_root: Whether alpha is divided by the root of the rank, instead of the rank.
    """

    alpha: float | None = None
    patterns: tuple[tuple[re.Pattern[str], float], ...] = ()
    by_root: bool = False

    def of(self, path: str, rank: int) -> float:
        """Return what a layer's LoRA is multiplied by.

        Args:
            path: The layer's path.
            rank: The rank of its LoRA.
        """
        default = rank if self.alpha is None else self.alpha
        alpha = next((a for pattern, a in self.patterns if pattern.match(path)), default)
        return alpha / (math.sqrt(rank) if self.by_root else rank)


def read_scales(name: str, settings: Mapping[str, Any]) -> Scales:
    """Return the scales that settings of PEFT stand for.

    Args:
        name: What the settings are called in the message.
        settings: A LoraConfig as plain values, or nothing.

    Raises:
        AdapterFileError: When they are not valid, or stand for more than a plain LoRA.
    """
    if not settings:
        return Scales()
    try:
        _refuse_other_methods(settings)
        alpha = check_alpha(settings.get("lora_alpha", _ALPHA))
        patterns = _patterns(settings.get("alpha_pattern") or {})
        return Scales(alpha, patterns, by_root=_switch(settings, "use_rslora"))
    except AdapterFileError as error:
        raise AdapterFileError(f"its {name} cannot be used: {error}.") from error


def check_alpha(alpha: Any) -> float:
    """Return an alpha, if it is a number by which a LoRA can be multiplied.

    Raises:
        AdapterFileError: When it is none, or 0, by which tools mean different things.
    """
    if not is_number(alpha) or alpha == 0:
        raise AdapterFileError(f"an alpha is {quoted(alpha)}, allowed is a number other than 0")
    return alpha


def _refuse_other_methods(settings: Mapping[str, Any]) -> None:
    """Raise for settings of more than a plain LoRA."""
    if settings.get("peft_type", "LORA") != "LORA":
        raise AdapterFileError(f"the method is {quoted(settings['peft_type'])}, not LORA")
    for switch in ("use_dora", "lora_bias"):
        if _switch(settings, switch):
            raise AdapterFileError(f"{switch} is on, and only plain LoRA can be read")
    for variant in _VARIANTS:
        if settings.get(variant):
            raise AdapterFileError(f"{variant} is set, and only plain LoRA can be read")
    start = settings.get("init_lora_weights")
    if start not in _STARTS:
        raise AdapterFileError(
            f"init_lora_weights is {quoted(start)}, which also changes the base model's weights; "
            "convert it to a plain LoRA with PEFT"
        )


def _switch(settings: Mapping[str, Any], name: str) -> bool:
    value = settings.get(name) or False
    if not isinstance(value, bool):
        raise AdapterFileError(f"{name} is {quoted(value)}, allowed is true or false")
    return value


def _patterns(alphas: Any) -> tuple[tuple[re.Pattern[str], float], ...]:
    """Return alphas by what paths end with, as they can be matched."""
    if not isinstance(alphas, dict):
        raise AdapterFileError("alpha_pattern is no object")
    if sum(_is_open(pattern) for pattern in alphas) > _MOST_OPEN:
        raise AdapterFileError(f"there are more than {_MOST_OPEN} regular expressions")
    return tuple((_compiled(pattern), check_alpha(alpha)) for pattern, alpha in alphas.items())


def _compiled(pattern: str) -> re.Pattern[str]:
    """Return a pattern as PEFT matches it: with what a path ends with, from a dot on."""
    choices = pattern.replace("(?:", "(")
    repeats = choices.count("*") + choices.count("+")
    too_slow = repeats > _MOST_REPEATS or repeats + _others(choices) > _MOST_CHOICES
    if len(pattern) > _LONGEST or too_slow or not _READ.fullmatch(pattern):
        raise AdapterFileError(
            f"the pattern {quoted(pattern)} is not one of the regular expressions that are read: "
            "names, '.', escapes, sets, groups, at most two of '*' and '+', and few choices"
        )
    try:
        return re.compile(rf"(.*\.)?({pattern})$")
    except re.error as error:
        raise AdapterFileError(f"the pattern {quoted(pattern)} is not valid ({error})") from error


def _others(choices: str) -> int:
    """Return how many choices but repetitions a pattern has."""
    return choices.count("?") + choices.count("|")


def _is_open(pattern: str) -> bool:
    """Return whether a pattern is more than a name."""
    return any(sign in pattern for sign in "*+?|")
