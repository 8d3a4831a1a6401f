from typing import Any

import pytest

from imagic_lora.errors import SettingsError
from imagic_lora.settings import (
    ALPHA,
    EditSettings,
    FitSettings,
    SamplingSettings,
    options,
)
from imagic_lora.ui import widgets

KINDS = pytest.mark.parametrize("kind", [FitSettings, SamplingSettings, EditSettings])
SEED = dict(options(EditSettings))["seed"]


def read(kind: type, **values: Any) -> Any:
    """Return settings from widgets that hold some values."""
    form = {name: object() for name in values}
    return widgets.read(kind, form, {form[name]: value for name, value in values.items()})


@KINDS
def test_every_setting_has_a_widget_with_its_help(kind: type) -> None:
    """A new field appears on the page by itself, with its own words and its default."""
    form = widgets.form(kind)

    assert [name for name, _ in options(kind)] == list(form)
    for name, described in options(kind):
        assert described.help in form[name].info
        assert getattr(kind(), name) == form[name].value or form[name].value in (None, "")


@KINDS
def test_untouched_widgets_give_the_defaults(kind: type) -> None:
    """What the page shows at first is what the library does by itself."""
    form = widgets.form(kind)

    assert kind() == read(kind, **{name: widget.value for name, widget in form.items()})


@KINDS
def test_fields_that_are_skipped_have_no_widget(kind: type) -> None:
    """What the page asks for in another way is not asked for twice."""
    assert "seed" not in widgets.form(kind, skip=("seed",))


def test_whole_numbers_survive_the_web() -> None:
    """A browser sends 30 as 30.0, or 4 for 4.0; the settings hold what they ask for."""
    settings = read(EditSettings, steps=30.0, guidance=4)

    assert EditSettings(steps=30, guidance=4.0) == settings


@pytest.mark.parametrize(
    ("name", "value"),
    [("steps", 0), ("steps", 2.5), ("steps", "<script>"), ("guidance", True)],
)
def test_what_is_not_allowed_is_refused_by_the_settings(name: str, value: Any) -> None:
    """A request that the page would never send is answered like any other input."""
    with pytest.raises(SettingsError, match=f"^{name} was"):
        read(EditSettings, **{name: value})


def test_what_is_empty_is_said_to_be_empty() -> None:
    """A field that was emptied is answered in the words that stand above it."""
    with pytest.raises(SettingsError, match=r"^'lora lr' is empty; allowed is 0 to 1\.$"):
        read(FitSettings, lora_lr=None)


@pytest.mark.parametrize(("text", "expected"), [("", None), (" ", None), ("64", 64), (" 96 ", 96)])
def test_a_number_may_be_left_out(text: str, expected: int | None) -> None:
    """An optional number is a text on the page, and an empty one is none."""
    assert expected == read(FitSettings, width=text).width


@pytest.mark.parametrize("text", ["wide", "1.5", "0", "<b>"])
def test_what_is_no_number_is_refused(text: str) -> None:
    """A text that holds no allowed number is answered by the settings."""
    with pytest.raises(SettingsError, match=r"^width was"):
        read(FitSettings, width=text)


@KINDS
def test_a_widget_holds_all_that_is_allowed(kind: type) -> None:
    """A slider would cut off without a word what is typed beyond its ends."""
    for name, described in options(kind):
        shown = widgets.form(kind)[name]
        limits = (getattr(shown, "minimum", None), getattr(shown, "maximum", None))
        assert limits in ((None, None), (described.low, described.high)), name


def test_what_is_unusual_is_allowed() -> None:
    """What lies beyond the usual span is allowed where the setting allows it."""
    assert 7.5 == widgets.number("alpha", ALPHA, 7.5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", (0,)), ("0, 1,2", (0, 1, 2)), (" 3 4 ", (3, 4)), ("5,5", (5,)), ("7,", (7,))],
)
def test_seeds_are_read_from_a_text(text: str, expected: tuple[int, ...]) -> None:
    """Commas or blanks stand between them, and each counts once."""
    assert expected == widgets.seeds(text, SEED)


@pytest.mark.parametrize("text", ["", " ", "one", "1.5", "-2", "0;1", "9" * 5000])
def test_what_is_no_seed_is_refused(text: str) -> None:
    """The refusal says what is allowed."""
    with pytest.raises(SettingsError, match=r"allowed|give a whole number"):
        widgets.seeds(text, SEED)


def test_a_seed_may_be_drawn() -> None:
    """Where nobody cares which, -1 and "random" are what people write; each is drawn anew."""
    first, second, third, chosen = widgets.seeds("-1, random, -1, 5", SEED)

    assert 3 == len({first, second, third})
    assert 5 == chosen


def test_a_sweep_is_spread_evenly() -> None:
    """Both ends are made exactly; of one picture it is the first."""
    assert (0.0, 0.5, 1.0, 1.5, 2.0) == widgets.spread(0.0, 2.0, 5)
    assert (0.7,) == widgets.spread(0.7, 2.0, 1)
