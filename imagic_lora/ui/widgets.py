"""From the settings to widgets and back: help, ranges, choices and defaults are those of the fields.

A setting whose whole range is a usual span is a slider, one with choices a row of buttons; all others
are fields, which hold whatever is typed: a slider would cut it off without a word. What widgets hold is
read by widget, so that none depends on its place among the others.
"""

import json
import secrets
from collections.abc import Container, Mapping
from math import isfinite
from typing import Any, TypeVar

import gradio

from imagic_lora.errors import SettingsError
from imagic_lora.settings import Option, options

Settings = TypeVar("Settings")

Values = Mapping[Any, Any]
"""What widgets hold, by widget."""

QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden"}
"""How an event is wired that answers at once.

It does not wait in Gradio's queue, whose answers come by a stream that is closed after the last of
them: an event that begins while it is being closed is never answered.
"""

LATEST: dict[str, Any] = {**QUIET, "trigger_mode": "always_last"}
"""How an event is wired that looks at things as they are: the last one counts.

By default Gradio drops an event that comes while another of its kind is being answered.
"""

EACH: dict[str, Any] = {**QUIET, "trigger_mode": "multiple"}
"""How a choice is wired: of two that come together Gradio's "always_last" would repeat the first.
"""

STREAM: dict[str, Any] = {**QUIET, "queue": True, "concurrency_limit": None}
"""How an event is wired that shows a job from its beginning to its end."""

_ANY, _DRAWN = ("-1", "random"), 1 << 32
"""What asks for a seed that nobody has chosen, and how many such seeds there are."""

_LONGEST = 5000
"""Most characters of a text that a browser may keep for a field."""

_STEPS = 100
"""Positions of a slider for numbers that are not whole."""


SAID: dict[str, Any] = {**QUIET, "js": "() => imagicLora.said()"}
"""How an event is wired that the page's script starts: what it says is the one input."""


def nothing() -> dict[Any, Any]:
    """Return what an event answers that changes no widget."""
    return dict(gradio.skip())


def widget(name: str, described: Option, default: Any, **looks: Any) -> Any:
    """Return the widget of one setting.

    Args:
        name: The setting's name.
        described: What is known of it.
        default: What it shows at first.
        looks: Passed on to the widget.
    """
    label = name.replace("_", " ")
    looks = {"elem_id": f"setting-{name}", **looks}
    if described.choices:
        return gradio.Radio(
            list(described.choices), value=default, label=label, info=described.help, **looks
        )
    if described.optional:  # a field for numbers cannot be empty: once it is shown, it holds 0
        info = f"{described.help} ({described.range_text()})"
        return gradio.Textbox("", label=label, info=info, lines=1, **looks)
    if described.kind is str:
        return gradio.Textbox(default, label=label, info=described.help, lines=1, **looks)
    if described.usual is not None and described.usual == (described.low, described.high):
        return _slider(label, described, default, looks)
    return gradio.Number(
        default,
        label=label,
        info=f"{described.help} ({_span_text(described)})",
        step=_step(described),
        **looks,
    )


def target(name: str) -> Any:
    """Return the field for what an edit of an adapter should show.

    Args:
        name: The field's identifier.
    """
    return gradio.Textbox(
        label="What it should show",
        info="default: what the fit was given",
        lines=1,
        max_lines=3,
        elem_id=name,
    )


def _slider(label: str, described: Option, default: Any, looks: Mapping[str, Any]) -> Any:
    """Return a slider over all that is allowed."""
    return gradio.Slider(
        described.low,
        described.high,
        value=default,
        step=_step(described),
        label=label,
        info=described.help,
        **looks,
    )


def _step(described: Option) -> float:
    """Return how far apart two values are that a press of a key goes to."""
    if described.kind is int:
        return 1
    if described.usual is None:
        return 0.0001
    low, high = described.usual
    return (high - low) / _STEPS


def _span_text(described: Option) -> str:
    """Return what is allowed and, where that is less, what is usual."""
    if described.usual is None:
        return described.range_text()
    low, high = described.usual
    return f"usually {low:g} to {high:g}; allowed is {described.range_text()}"


def form(
    kind: type, *, only: Container[str] | None = None, skip: Container[str] = (), prefix: str = ""
) -> dict[str, Any]:
    """Return a widget for each field of a settings class, by name.

    Args:
        kind: A settings class.
        only: Fields that get one here; default: all.
        skip: Fields that get none here.
        prefix: What the widgets' identifiers begin with.
    """
    defaults = kind()
    return {
        name: widget(name, each, getattr(defaults, name), elem_id=f"{prefix}-{name}")
        for name, each in options(kind)
        if (only is None or name in only)
        and name not in skip
        and (each.choices or each.kind in (str, int, float))
    }


def read(kind: type[Settings], form: Mapping[str, Any], values: Values, **more: Any) -> Settings:
    """Return settings from what widgets hold.

    Args:
        kind: A settings class.
        form: The widgets of its fields, by name.
        values: What the widgets hold.
        more: Fields that have none.

    Raises:
        SettingsError: When a value is not allowed.
    """
    described = dict(options(kind))
    held = {
        name: number(name.replace("_", " "), described[name], values[each])
        for name, each in form.items()
    }
    return kind(**{**held, **more})


def remembered(fields: Mapping[str, Any], held: str) -> dict[Any, Any]:
    """Return what fields held before the page was loaded anew.

    Args:
        fields: The widgets, by name.
        held: What the browser kept, as JSON: values by name; anybody may have written it.
    """
    try:
        kept = json.loads(held or "{}")
    except (ValueError, RecursionError):
        return {}
    return {
        field: kept[name]
        for name, field in fields.items()
        if isinstance(kept, dict) and name in kept and _suits(field, kept[name])
    }


def _suits(field: Any, value: Any) -> bool:
    """Return whether a value is of the kind that a field holds."""
    if isinstance(field, gradio.Radio):
        return value in [choice for _, choice in field.choices]
    if isinstance(field, gradio.Textbox):
        return isinstance(value, str) and len(value) <= _LONGEST
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def number(name: str, described: Option, value: Any) -> Any:
    """Return one checked value.

    Args:
        name: What the page calls it.
        described: What is known of it.
        value: What its widget holds.

    Raises:
        SettingsError: When it is not allowed.
    """
    value = _typed(described, value)
    if value is None and not described.optional:
        raise SettingsError(f"'{name}' is empty; allowed is {described.range_text()}.")
    described.check(name, value)
    return value


def seeds(text: str, described: Option) -> tuple[int, ...]:
    """Return the seeds in a text, each once; -1 and "random" draw one.

    Args:
        text: Whole numbers with commas between them.
        described: What a seed may be.

    Raises:
        SettingsError: When one of them is no seed.
    """
    found = []
    for word in (text or "").replace(" ", ",").split(","):
        if word in _ANY:
            found.append(secrets.randbelow(_DRAWN))
        elif word:
            try:
                found.append(int(word))
            except ValueError as error:
                raise SettingsError(
                    f"The seeds were {text[:80]!r}, allowed are whole numbers with commas between "
                    "them, e.g. 0, 1, 2."
                ) from error
            described.check("seed", found[-1])
    if not found:
        raise SettingsError("There was no seed, and one is needed: give a whole number, e.g. 0.")
    return tuple(dict.fromkeys(found))


def spread(low: float, high: float, count: int) -> tuple[float, ...]:
    """Return numbers from one to another at even distances; of one, the first.

    Args:
        low: The first.
        high: The last.
        count: How many, at least 1.
    """
    if count == 1:
        return (low,)
    return tuple(round(low + (high - low) * index / (count - 1), 4) for index in range(count))


def _number_in(described: Option, text: str) -> Any:
    """Return the number in a text, None for an empty one, or the text where it is no number."""
    try:
        return described.kind(text) if text else None
    except ValueError:
        return text


def _typed(described: Option, value: Any) -> Any:
    """Return what a widget holds as the kind that the setting has: the web knows only floats."""
    if value is None or isinstance(value, bool) or described.choices:
        return value
    if described.optional and isinstance(value, str):
        return _number_in(described, value.strip())
    if described.kind is float and isinstance(value, int):
        return float(value)
    if described.kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    return value
