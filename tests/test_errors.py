import copy
import inspect
import pickle
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from imagic_lora import errors


def _drawn() -> dict[str, str]:
    """Return the parent of each class in the tree that the module's docstring draws."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^ {4}((?:│   |    |├── |└── )*)(\w+(?:Error|Warning))\b", line)
        if match:
            depth = len(match[1]) // 4
            path[depth:] = [match[2]]
            if depth:
                parents[match[2]] = path[depth - 1]
    return parents


def _defined() -> dict[str, str]:
    """Return the first base of each exception that the module defines, but for the root."""
    return {
        name: kind.__bases__[0].__name__
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.ImagicError) and kind is not errors.ImagicError
    }


def test_the_drawn_tree_is_the_true_one() -> None:
    """The tree at the top of the module holds every exception, under its own base."""
    assert _defined() == _drawn()


@pytest.mark.parametrize("name", ["InputError", "ImageError", "PromptError", "SettingsError"])
def test_bad_input_is_a_value_error(name: str) -> None:
    """Code that catches Python's own ValueError catches bad input too."""
    assert issubclass(getattr(errors, name), ValueError)


def test_a_missing_extra_is_an_import_error_that_names_its_remedy() -> None:
    """A missing package is an ImportError whose message is the command that installs it."""
    error = errors.MissingExtraError("gradio", "ui", "the web form")

    assert isinstance(error, ImportError)
    assert (
        "the web form needs the package 'gradio', which is not installed; "
        "install it with: pip install 'imagic-lora[ui]'."
    ) == str(error)


@pytest.mark.parametrize("travel", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_missing_extra_travels(travel: Callable[[object], object]) -> None:
    """It comes back from another process, or as a copy, with the sentence that it had."""
    error = errors.MissingExtraError("gradio", "ui", "the web form")

    found = travel(error)

    assert isinstance(found, errors.MissingExtraError)
    assert str(error) == str(found)


def test_a_warning_is_no_error() -> None:
    """ImagicWarning can be silenced as a UserWarning and is never caught as an error."""
    assert issubclass(errors.ImagicWarning, UserWarning)
    assert not issubclass(errors.ImagicWarning, errors.ImagicError)


def test_each_thread_hears_its_own_warnings() -> None:
    """Of several that listen at once, each hears what is warned of in its own thread alone."""
    both = Barrier(2, timeout=60)
    here: list[str] = []

    def listen(name: str) -> list[str]:
        heard: list[str] = []
        with errors.heard_by(heard.append):
            both.wait()
            errors.warn(name)
            both.wait()  # nobody stops listening before both have warned
        return heard

    with errors.heard_by(here.append), ThreadPoolExecutor(2) as threads:
        assert [["one"], ["other"]] == list(threads.map(listen, ["one", "other"]))
        errors.warn("here")

    assert ["here"] == here


def test_a_listener_hears_a_block_and_no_more() -> None:
    """An inner block's warnings go to its own listener; after it the outer one hears again."""
    outer: list[str] = []
    inner: list[str] = []

    with errors.heard_by(outer.append):
        with errors.heard_by(inner.append):
            errors.warn("within")
        errors.warn("after")
    with pytest.warns(errors.ImagicWarning, match="beyond"):
        errors.warn("beyond")

    assert (["after"], ["within"]) == (outer, inner)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("interpolat", " Did you mean 'interpolate'?"),
        ("guidedd", " Did you mean 'guided'?"),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_a_near_match_is_suggested_and_nothing_else(word: str, expected: str) -> None:
    """A mistyped word gets the nearest allowed one; a word far from all gets none."""
    assert expected == errors.near_match(word, ["guided", "interpolate"])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a girl", "'a girl'"),
        ("a\n\0\ud800", r"'a\n\x00\ud800'"),
        (None, "None"),
        (2.5, "2.5"),
    ],
)
def test_a_quoted_value_is_readable_in_one_line(value: object, expected: str) -> None:
    """What a terminal cannot show is written as Python would."""
    assert expected == errors.quoted(value)


@pytest.mark.parametrize(
    "value", ["x" * 10**6, ["y" * 10**6] * 1000, {"z" * 99: b"0" * 10**6}, 10**4000]
)
def test_a_long_value_is_quoted_in_80_characters(value: object) -> None:
    """A sentence stays a sentence whatever a file holds."""
    assert 80 >= len(errors.quoted(value)) > 70


def test_of_a_long_text_the_ends_are_quoted() -> None:
    """A path's last part says more than its middle."""
    text = errors.quoted("/start/" + "long/" * 100 + "end.png")

    assert text.startswith("'/start/")
    assert text.endswith("end.png'")
