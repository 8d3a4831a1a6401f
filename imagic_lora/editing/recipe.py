"""From a picture that was made here back to what made it; a record is checked like any input."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from imagic_lora.editing import masks
from imagic_lora.errors import ImageError, SettingsError
from imagic_lora.images.png import read_record
from imagic_lora.settings import (
    ALPHA,
    NOISE,
    STRENGTH,
    EditSettings,
    Option,
    SamplingSettings,
    options,
)

Settings = TypeVar("Settings", bound=SamplingSettings)

_LONGEST = 2000
"""Most characters of a prompt that is taken up: far more than any model reads."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What made a picture, or a sheet of them.

    Attributes:
        target: The prompt.
        settings: How it was denoised.
        alphas: Prompt strengths; none for img2img.
        seeds: Seeds.
        adapter_sha256: Hash of the adapter, or "".
        mask_sha256: Hash of the mask's size and RGB bytes, or "".
        mask_words: What the mask was found by, or "".
        mask: The mask on the canvas, or None where there was none or the picture does not carry it.
        strength: Strength of img2img, or None.
        noise: Extra noise of img2img, or None.
    """

    target: str
    settings: SamplingSettings
    alphas: tuple[float, ...] = ()
    seeds: tuple[int, ...] = ()
    adapter_sha256: str = ""
    mask_sha256: str = ""
    mask_words: str = ""
    mask: Image.Image | None = None
    strength: float | None = None
    noise: float | None = None


def read_recipe(path: Path) -> Recipe:
    """Return what made a picture.

    Args:
        path: A PNG that was made here.

    Raises:
        ImageError: When it carries no record, or one that is not valid.
    """
    record = read_record(path)
    if record is None:
        raise ImageError(
            f"'{path.name}' carries no settings: it was not made here, or another program has "
            "saved it since."
        )
    try:
        return _parse(record)
    except (KeyError, TypeError, IndexError, SettingsError) as error:
        raise ImageError(f"The settings in '{path.name}' are not valid: {error}.") from error


def _parse(record: Mapping[str, Any]) -> Recipe:
    """Return the recipe in a record."""
    pictures = record["pictures"] if record["kind"] == "Sheet" else [record]
    kind = pictures[0]["kind"]
    if kind == "Variation":
        return _variation(pictures[0])
    if kind != "Edit":
        raise TypeError(f"its kind is {str(kind)[:80]!r}")
    return _edits([each for each in pictures if each["kind"] == "Edit"])


def _edits(records: Sequence[Mapping[str, Any]]) -> Recipe:
    """Return the recipe of edits that differ in alpha and seed."""
    alphas = tuple(dict.fromkeys(_checked("alpha", ALPHA, each["alpha"]) for each in records))
    settings = [_settings(EditSettings, each["settings"]) for each in records]
    return Recipe(
        target=_text(records[0]["target"]),
        settings=settings[0],
        alphas=alphas,
        seeds=tuple(dict.fromkeys(each.seed for each in settings)),
        adapter_sha256=_text(records[0]["adapter_sha256"]),
        mask_sha256=_text(records[0].get("mask_sha256") or ""),
        mask_words=_text(records[0].get("mask_words") or ""),
        mask=_mask(records[0].get("mask")),
    )


def _variation(record: Mapping[str, Any]) -> Recipe:
    """Return the recipe of an img2img picture."""
    return Recipe(
        target=_text(record["target"]),
        settings=_settings(SamplingSettings, record["settings"]),
        strength=_checked("strength", STRENGTH, record["strength"]),
        noise=_checked("noise", NOISE, record["noise"]),
    )


def _settings(kind: type[Settings], values: Any) -> Settings:
    """Return settings, without fields that this version does not know."""
    if not isinstance(values, dict):
        raise TypeError("they are no object")
    known = dict(options(kind))
    return kind(**{name: value for name, value in values.items() if name in known})


def _checked(name: str, described: Option, value: Any) -> float:
    """Return a number that is allowed."""
    described.check(name, value)
    return float(value)


def _mask(value: Any) -> Image.Image | None:
    """Return the mask that a picture carries, if it carries one."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError("its mask is no text")
    return masks.from_text(value)


def _text(value: Any) -> str:
    """Return a text of bearable length."""
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise TypeError("a text is missing or too long")
    return value
