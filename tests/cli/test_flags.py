import re
import subprocess
import sys
from dataclasses import MISSING, fields
from typing import Any

import pytest

import imagic_lora
from imagic_lora.cli.main import program
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
from tests.support.command import Command, flags, parsed, runner

COMMANDS = tuple(program.commands)
WORDS = {
    "fit": ["a.png", "--out", "a.safetensors"],
    "edit": ["a.safetensors", "--alpha", "1", "--out", "a"],
    "img2img": ["a.png", "--target", "a cat", "--strength", "0.5", "--out", "a"],
}
"""The least that each command asks for."""

KINDS: dict[str, Any] = {"fit": FitSettings, "edit": EditSettings, "img2img": SamplingSettings}
OWN = {
    "fit": {"--target", "--captioner", "--source", "--no-thumbnail"},
    "edit": {"--target", "--alpha", "--from", "--mask", "--scorer", "--seeds", "--yes"},
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
    "--prediction",
    "--clip-skip",
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


def _parsed(command: str, *words: str) -> dict[str, Any]:
    """Return what a command makes of some more words."""
    return parsed(command, *WORDS[command], *words)


def _ends(described: Option) -> list[float]:
    """Return the ends of a range."""
    return [end for end in (described.low, described.high) if end is not None]


@pytest.mark.parametrize("command", KINDS)
def test_a_command_has_the_flags_of_its_settings_and_no_others(command: str) -> None:
    """A new setting becomes a flag by itself, and a flag that is no setting is named here."""
    expected = {_flag(name) for owner, name, _ in SETTINGS if owner == command}

    assert expected | OWN[command] | SHARED == set(flags(command))


@pytest.mark.parametrize(("command", "name", "described"), SETTINGS)
def test_a_flag_says_what_the_setting_says(command: str, name: str, described: Option) -> None:
    """Help, range, choices and default come from the field."""
    said = str(flags(command)[_flag(name)].help)
    default = KINDS[command].__dataclass_fields__[name].default

    assert default == _parsed(command)[name]
    assert described.help in said
    if _ends(described) or described.choices:
        assert described.range_text() in said
    if default not in (None, ""):
        assert f"default: {default})" in said


@pytest.mark.parametrize("command", KINDS)
def test_without_flags_the_settings_are_the_defaults(command: str) -> None:
    """The command line has no defaults of its own."""
    given = _parsed(command)
    for item in fields(KINDS[command]):
        if item.name in given:
            assert item.default is not MISSING
            assert item.default == given[item.name]


@pytest.mark.parametrize(
    ("command", "flag", "described"),
    [(command, _flag(name), described) for command, name, described in SETTINGS] + LISTS,
)
def test_the_range_of_a_flag_is_that_of_the_setting(
    run: Command, command: str, flag: str, described: Option
) -> None:
    """Both ends of a range are allowed; what is beyond them is refused, with the range."""
    for end in _ends(described):
        _parsed(command, flag, str(end))
    beyond = [] if described.low is None else [described.low - 1]
    beyond += [] if described.high is None else [described.high + 1]
    for value in beyond:
        done = run(command, *WORDS[command], flag, value)
        assert re.search(rf"error: argument {flag}: the value was {value}(\.0)?, ", done.error)


@pytest.mark.parametrize(("command", "flag", "described"), LISTS)
def test_lists_say_what_their_option_says(command: str, flag: str, described: Option) -> None:
    """Help and range of a list come from its Option too."""
    assert described.help in str(flags(command)[flag].help)
    assert described.range_text() in str(flags(command)[flag].help)


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
    assert expected == _parsed("edit", "--alpha", text)["alpha"]


@pytest.mark.parametrize("text", ["", "0.7,,1", "0.7,", "a", "nan", "inf", "-inf", "0.5,nan"])
def test_a_list_of_anything_else_is_refused(run: Command, text: str) -> None:
    """An empty place, a word, NaN and the infinities are no alpha."""
    done = run("edit", *WORDS["edit"], "--alpha", text)

    assert re.search("error: argument --alpha: the value was .*any number", done.error)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["eidt", "a"], "no command 'eidt', allowed is one of demo, fit, .* 'edit'"),
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
        (["fit", "a.png"], "required: -o/--out"),
        (["fit"], "required: IMAGE"),
        (["inspect", "a", "b"], r"unexpected extra argument \(b\)"),
        ([], "missing command"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_usage_error_is_one_line(run: Command, words: list[str], expected: str) -> None:
    """A mistyped command line gets one sentence, a near match where there is one, and code 2."""
    done = run(*words)

    (line,) = done.err.splitlines()
    assert re.fullmatch(f"imagic-lora: error: .*{expected}.* See imagic-lora .*--help\\.", line)
    assert (2, "") == (done.code, done.out)


def test_the_commands_can_be_rendered() -> None:
    """Every command, argument and flag has a help, from which the docs are made."""
    for command in program.commands.values():
        assert command.help
        assert all(param.help for param in command.params)


@pytest.mark.parametrize("words", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_is_written_to_standard_output(run: Command, words: list[str]) -> None:
    """Help ends well, and names the commands or flags."""
    done = run(*words)

    assert (0, "") == (done.code, done.err)
    names = COMMANDS if words == ["--help"] else flags(words[0])
    assert all(name in done.out for name in names)


def test_the_version_is_the_packages(run: Command) -> None:
    """`--version` prints the installed version and nothing else."""
    done = run("--version")

    assert (0, f"{imagic_lora.__version__}\n") == (done.code, done.out)


def test_the_module_is_the_program() -> None:
    """`python -m imagic_lora` gives its exit code to the shell."""
    program = [sys.executable, "-m", "imagic_lora", "eidt"]

    done = subprocess.run(program, check=False, capture_output=True, text=True)

    assert 2 == done.returncode
    assert "Did you mean 'edit'?" in done.stderr
