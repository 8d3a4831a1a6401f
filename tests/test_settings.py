import dataclasses
import math
from typing import Any

import pytest

from imagic_lora.errors import PromptError, SettingsError
from imagic_lora.settings import (
    ALPHA,
    NOISE,
    STRENGTH,
    EditSettings,
    FitSettings,
    Option,
    SamplingSettings,
    options,
)
from imagic_lora.texts import MAX_PROMPT, prompt

SETTINGS = (FitSettings, SamplingSettings, EditSettings)
FIELDS = [(kind, name, described) for kind in SETTINGS for name, described in options(kind)]
NUMBERS = [
    (kind, name, described)
    for kind, name, described in FIELDS
    if not described.choices and kind.__dataclass_fields__[name].type not in ("str", str)
]


def _made(kind: Any, **values: Any) -> Any:
    """Return a settings object; typed loosely, since tests also pass what is wrong."""
    return kind(**values)


def _name(value: Any) -> str | None:
    """Return a readable test id."""
    if isinstance(value, Option):
        return ""
    return value.__name__ if isinstance(value, type) else None


@pytest.mark.parametrize("kind", SETTINGS)
def test_the_defaults_are_allowed(kind: type) -> None:
    """Every settings class can be made without arguments."""
    assert kind() == _made(kind, **dataclasses.asdict(kind()))


@pytest.mark.parametrize("described", [item[2] for item in FIELDS])
def test_every_setting_is_described_for_people(described: Option) -> None:
    """Each field has a help of one sentence without full stop, which flags and tables show."""
    assert described.help
    assert not described.help.endswith(".")
    assert "\n" not in described.help


@pytest.mark.parametrize(("kind", "name", "described"), NUMBERS, ids=_name)
def test_the_ends_of_a_range_are_allowed(kind: type, name: str, described: Option) -> None:
    """A range includes both of its ends."""
    for end in (described.low, described.high):
        if end is not None:
            assert end == getattr(_made(kind, **{name: end}), name)


@pytest.mark.parametrize(("kind", "name"), [item[:2] for item in NUMBERS], ids=_name)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, "7"])
def test_what_is_no_finite_number_is_refused(kind: type, name: str, value: object) -> None:
    """NaN, the infinities, truth values and words are never numbers of a setting."""
    with pytest.raises(SettingsError, match=rf"^{name} was .*, allowed is .*\.$"):
        _made(kind, **{name: value})


@pytest.mark.parametrize("digits", [401, 6000])
@pytest.mark.parametrize(("kind", "name"), [item[:2] for item in NUMBERS], ids=_name)
def test_a_number_beyond_all_floats_is_refused(kind: type, name: str, digits: int) -> None:
    """However long a whole number is, it is refused in a sentence that stays short."""
    with pytest.raises(SettingsError, match=rf"^{name} was .*, allowed is .*\.$") as caught:
        _made(kind, **{name: 10**digits})

    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(("kind", "name", "described"), NUMBERS, ids=_name)
def test_values_beyond_a_range_are_refused(kind: type, name: str, described: Option) -> None:
    """The message names the setting, what was given and what is allowed."""
    beyond = [described.low - 1] if described.low is not None else []
    beyond += [described.high + 1] if described.high is not None else []
    for value in beyond:
        with pytest.raises(SettingsError) as caught:
            _made(kind, **{name: value})
        assert f"{name} was {value!r}, allowed is {described.range_text()}." == str(caught.value)


def test_a_mistyped_choice_is_answered_with_the_near_one() -> None:
    """A wrong word gets the list of allowed ones and a suggestion."""
    with pytest.raises(SettingsError) as caught:
        _made(FitSettings, mode="two-stages")

    assert (
        "mode was 'two-stages', allowed is one of joint, two-stage. Did you mean 'two-stage'?"
    ) == str(caught.value)


def test_a_whole_number_is_wanted_where_things_are_counted() -> None:
    """A number of steps cannot be a fraction."""
    with pytest.raises(SettingsError, match=r"^steps was 2\.5, allowed is a whole number\.$"):
        _made(FitSettings, steps=2.5)


@pytest.mark.parametrize("kind", SETTINGS)
def test_settings_cannot_be_changed(kind: type) -> None:
    """A change of settings is a new object."""
    settings = kind()

    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.seed = 1

    assert dataclasses.replace(settings, seed=1) != settings


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        (Option("x", choices=("a", "b")), "one of a, b"),
        (Option("x", low=1, high=100_000, unit="steps"), "1 to 100000 steps"),
        (Option("x", low=0, high=0.5), "0 to 0.5"),
        (Option("x", low=2), "2 or more"),
        (Option("x"), "any number"),
    ],
)
def test_a_range_reads_as_words(described: Option, expected: str) -> None:
    """The allowed values are written the same way in messages, help and docs."""
    assert expected == described.range_text()


@pytest.mark.parametrize("value", [-2.0, 0.0, 0.9, 1.0, 3.5])
def test_alpha_is_any_real_number(value: float) -> None:
    """Alpha may lie below 0 and above 1."""
    ALPHA.check("alpha", value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400])
def test_alpha_is_finite(value: float) -> None:
    """Alpha is refused before any work where it is not a real number."""
    with pytest.raises(SettingsError, match=r"^alpha was .*, allowed is any number"):
        ALPHA.check("alpha", value)


@pytest.mark.parametrize("described", [STRENGTH, NOISE])
@pytest.mark.parametrize("value", [-0.01, 1.01])
def test_strength_and_noise_are_shares(described: Option, value: float) -> None:
    """What img2img mixes is a share between 0 and 1."""
    with pytest.raises(SettingsError, match="allowed is 0 to 1"):
        described.check("strength", value)


def test_what_is_usual_is_allowed() -> None:
    """A slider's span lies within the range, and the default within the span."""
    for kind in (FitSettings, SamplingSettings, EditSettings):
        for name, described in options(kind):
            if described.usual:
                low, high = described.usual
                described.check(name, described.kind(low))
                described.check(name, described.kind(high))
                default = getattr(kind(), name)
                assert described.optional if default is None else low <= default <= high


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" a girl \n", "a girl"),
        ("花を持つ少女", "花を持つ少女"),
        ("\N{FLAG IN HOLE}\N{ZERO WIDTH JOINER}", "\N{FLAG IN HOLE}\N{ZERO WIDTH JOINER}"),
        ("x" * MAX_PROMPT, "x" * MAX_PROMPT),
    ],
)
def test_a_prompt_is_a_text_without_space_around_it(text: str, expected: str) -> None:
    """What is inside stays as it was typed, in any script, up to the longest."""
    assert expected == prompt(text)


@pytest.mark.parametrize("text", ["", "  \t\n", "\u200b\u200d", "\ufeff", "\u2028\u00a0", "\x1b"])
def test_a_text_that_shows_nothing_is_empty(text: str) -> None:
    """Spaces, controls and zero-width characters describe no picture."""
    assert not prompt(text, required=False)
    with pytest.raises(PromptError, match=r"^The target is empty; say in words"):
        prompt(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (5, r"^The source was of type int, allowed is text\.$"),
        (None, "of type NoneType, allowed is text"),
        (b"a girl", "of type bytes, allowed is text"),
        ("a\0b", "holds a character that is none"),
        ("a \ud800", "holds a character that is none"),
        ("x" * (MAX_PROMPT + 1), r"has 10001 characters, allowed are 10000; shorten it\.$"),
    ],
    ids=["number", "nothing", "bytes", "NUL", "half", "long"],
)
def test_what_is_no_prompt_is_refused(text: Any, message: str) -> None:
    """The sentence says which prompt it was, whether or not it is needed."""
    with pytest.raises(PromptError, match=message):
        prompt(text, "source", required=False)


@pytest.mark.parametrize("negative", [5, None, "a\0b", "x" * (MAX_PROMPT + 1)])
def test_a_negative_prompt_is_a_prompt(negative: Any) -> None:
    """What no encoder or file could take is refused when the settings are made."""
    with pytest.raises(PromptError, match=r"^The negative "):
        EditSettings(negative=negative)
