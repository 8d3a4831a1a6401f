import argparse
import re
import subprocess
import sys
from dataclasses import MISSING, fields
from typing import Any

import pytest

import imagic_lora
from imagic_lora.cli import build_parser
from imagic_lora.errors import InputError
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
from tests.support.command import Command, actions, runner

COMMANDS = ("demo", "fit", "edit", "export", "img2img", "inspect", "models", "plan")
WORDS = {
    "fit": ["fit", "a.png", "--out", "a.safetensors"],
    "edit": ["edit", "a.safetensors", "--alpha", "1", "--out", "a"],
    "img2img": ["img2img", "a.png", "--target", "a cat", "--strength", "0.5", "--out", "a"],
}
"""The least that each command asks for."""

KINDS: dict[str, Any] = {"fit": FitSettings, "edit": EditSettings, "img2img": SamplingSettings}
OWN = {
    "fit": {"--target", "--captioner", "--source", "--no-thumbnail"},
    "edit": {"--target", "--alpha", "--mask", "--seeds"},
    "img2img": {"--target", "--strength", "--noise", "--seeds"},
}
"""Flags that are no field of the settings; `--seeds` takes the place of the field `seed`."""

SHARED = {
    "--help",
    "--out",
    "--force",
    "--model",
    "--config",
    "--device",
    "--memory",
    "--attention",
}
SETTINGS = [
    (command, name, described)
    for command, kind in KINDS.items()
    for name, described in options(kind)
    if not (name == "seed" and command != "fit")
]
LISTS = [
    ("edit", "--alpha", ALPHA),
    ("img2img", "--strength", STRENGTH),
    ("img2img", "--noise", NOISE),
    ("edit", "--seeds", dict(options(EditSettings))["seed"]),
    ("img2img", "--seeds", dict(options(SamplingSettings))["seed"]),
]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """Give a function that runs the command line."""
    return runner(capsys)


def _flag(name: str) -> str:
    """Return the flag of a setting."""
    return "--" + name.replace("_", "-")


def _parsed(command: str, *words: str) -> Any:
    """Return what a command makes of some more words."""
    return build_parser().parse_args([*WORDS[command], *words])


def _ends(described: Option) -> list[float]:
    """Return the ends of a range."""
    return [end for end in (described.low, described.high) if end is not None]


@pytest.mark.parametrize("command", KINDS)
def test_a_command_has_the_flags_of_its_settings_and_no_others(command: str) -> None:
    """A new setting becomes a flag by itself, and a flag that is no setting is named here."""
    expected = {_flag(name) for owner, name, _ in SETTINGS if owner == command}

    assert expected | OWN[command] | SHARED == set(actions(command))


@pytest.mark.parametrize(("command", "name", "described"), SETTINGS)
def test_a_flag_says_what_the_setting_says(command: str, name: str, described: Option) -> None:
    """Help, range, choices and default come from the field."""
    action = actions(command)[_flag(name)]
    default = KINDS[command].__dataclass_fields__[name].default

    assert action.default == default
    assert described.help in str(action.help)
    assert list(described.choices) == list(action.choices or [])
    if _ends(described):
        assert described.range_text() in str(action.help)
    if default not in (None, ""):
        assert f"default: {default})" in str(action.help)


@pytest.mark.parametrize("command", KINDS)
def test_without_flags_the_settings_are_the_defaults(command: str) -> None:
    """The command line has no defaults of its own."""
    args = _parsed(command)
    for item in fields(KINDS[command]):
        if hasattr(args, item.name):
            assert item.default is not MISSING
            assert item.default == getattr(args, item.name)


@pytest.mark.parametrize(
    ("command", "flag", "described"),
    [(command, _flag(name), described) for command, name, described in SETTINGS] + LISTS,
)
def test_the_range_of_a_flag_is_that_of_the_setting(
    command: str, flag: str, described: Option
) -> None:
    """Both ends of a range are allowed; what is beyond them is refused, with the range."""
    for end in _ends(described):
        _parsed(command, flag, str(end))
    beyond = [] if described.low is None else [described.low - 1]
    beyond += [] if described.high is None else [described.high + 1]
    for value in beyond:
        with pytest.raises(InputError, match=rf"^argument {flag}: the value was {value}(\.0)?, "):
            _parsed(command, flag, str(value))


@pytest.mark.parametrize(("command", "flag", "described"), LISTS)
def test_lists_say_what_their_option_says(command: str, flag: str, described: Option) -> None:
    """Help and range of a list come from its Option too."""
    assert described.help in str(actions(command)[flag].help)
    assert described.range_text() in str(actions(command)[flag].help)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.7", (0.7,)),
        ("0.7,0.9 , 1.1", (0.7, 0.9, 1.1)),
        ("1,1,0.5,1.0", (1.0, 0.5)),
        ("-0.5,1", (-0.5, 1.0)),
        ("-.5", (-0.5,)),
        ("-1", (-1.0,)),
        ("1e-3", (0.001,)),
    ],
)
def test_a_list_is_numbers_with_commas(text: str, expected: tuple[float, ...]) -> None:
    """Blanks do not matter, repetitions count once, and a leading minus is a sign, not a flag."""
    assert expected == _parsed("edit", "--alpha", text).alpha


@pytest.mark.parametrize("text", ["", "0.7,,1", "0.7,", "a", "nan", "inf", "-inf", "0.5,nan"])
def test_a_list_of_anything_else_is_refused(text: str) -> None:
    """An empty place, a word, NaN and the infinities are no alpha."""
    with pytest.raises(InputError, match=r"^argument --alpha: the value was .*any number"):
        _parsed("edit", "--alpha", text)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["eidt", "a"], "the value was 'eidt', allowed is one of demo, fit, .* 'edit'"),
        (["fit", "a.png", "--tagret", "x", "-o", "a"], r"no flag --tagret\. Did you mean '--targe"),
        (["fit", "a.png", "--tagret=x"], r"no flag --tagret\. Did you mean '--target'"),
        (["fit", "a.png", "--targ", "x", "-o", "a"], r"no flag --targ\. Did you mean '--target'"),
        (["edit", "a", "--seed", "1"], r"no flag --seed\. Did you mean '--seeds'"),
        (["--versoin"], r"no flag --versoin\. Did you mean '--version'"),
        (["fit", "a.png", "-o", "a", "--mode", "two-stages"], "one of joint, two-.*'two-stage'"),
        (["img2img", "a", "--scheduler", "eular"], "one of ddim, .*, model.*'euler'"),
        (["fit", "a.png", "-o", "a", "--steps", "1.5"], "'1.5', allowed is a whole number, 1 to"),
        (["fit", "a.png", "-o", "a", "--target", " "], "argument --target: the prompt is empty"),
        (["img2img", "a.png", "-o", "a", "--strength", "1"], "required: --target"),
        (["edit", "a.safetensors", "-o", "a"], "required: --alpha"),
        (["fit", "a.png"], "required: -o/--out"),
        (["fit"], "required: IMAGE"),
        (["inspect", "a", "b"], "unrecognized arguments: b"),
        ([], "required: COMMAND"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_usage_error_is_one_line(run: Command, words: list[str], expected: str) -> None:
    """A mistyped command line gets one sentence, a near match where there is one, and code 2."""
    done = run(*words)

    (line,) = done.err.splitlines()
    assert re.fullmatch(f"imagic-lora: error: .*{expected}.* See imagic-lora .*--help\\.", line)
    assert (2, "") == (done.code, done.out)


def test_the_parser_can_be_rendered() -> None:
    """Every command and every flag has a help, from which the docs are made."""
    parser = build_parser()

    assert isinstance(parser, argparse.ArgumentParser)
    for command in COMMANDS:
        assert all(action.help for action in actions(command).values())


@pytest.mark.parametrize("words", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_is_written_to_standard_output(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Help ends well, and names the commands or flags."""
    with pytest.raises(SystemExit) as end:
        runner(capsys)(*words)

    written = capsys.readouterr()
    assert (0, "") == (end.value.code, written.err)
    names = COMMANDS if words == ["--help"] else actions(words[0])
    assert all(name in written.out for name in names)


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` prints the installed version and nothing else."""
    with pytest.raises(SystemExit) as end:
        runner(capsys)("--version")

    assert (0, f"{imagic_lora.__version__}\n") == (end.value.code, capsys.readouterr().out)


def test_the_module_is_the_program() -> None:
    """`python -m imagic_lora` gives its exit code to the shell."""
    program = [sys.executable, "-m", "imagic_lora", "eidt"]

    done = subprocess.run(program, check=False, capture_output=True, text=True)

    assert 2 == done.returncode
    assert "Did you mean 'edit'?" in done.stderr
