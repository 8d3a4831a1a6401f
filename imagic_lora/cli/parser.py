"""The parser: every command and flag, without loading what the commands need.

Messages come in the form of the library's own errors, with near matches for mistyped words.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from imagic_lora.cli.flags import add_settings, add_several, one, prompt
from imagic_lora.errors import InputError, near_match
from imagic_lora.settings import (
    ALPHA,
    ATTENTION,
    NOISE,
    STRENGTH,
    EditSettings,
    FitSettings,
    Option,
    SamplingSettings,
    options,
)

MODEL = "stable-diffusion-v1-5/stable-diffusion-v1-5"
"""The base model where none is named."""

_PORT = Option("port to listen at, 0 for any that is free", kind=int, low=0, high=65_535)
_MAX_SIZE = Option(
    "largest size of the adapter's file, kept to by leaving out what changes the least; "
    "default: as it is",
    low=0.01,
    unit="MB",
)
_NEGATIVE = re.compile(r"-(\d|\.\d|inf|nan)", re.IGNORECASE)


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises InputError, and knows near matches and negative numbers."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_abbrev=False, **kwargs)

    def error(self, message: str) -> NoReturn:
        """Raise an InputError that says where the help is."""
        stop = "" if message.endswith((".", "?")) else "."
        raise InputError(f"{message}{stop} See {self.prog} --help.")

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Refuse unknown flags by name first, whatever else may be wrong."""
        words = _joined(sys.argv[1:] if args is None else args)
        flags = self._option_string_actions
        for word in words:
            if word == "--" or (self._subparsers and not word.startswith("-")):
                break
            flag = word.partition("=")[0]
            if word.startswith("--") and flag not in flags:
                self.error(f"there is no flag {flag}.{near_match(flag, flags)}")
        return super().parse_known_args(words, namespace)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse a word that is not among the choices, with a near match."""
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(
                action,
                f"the value was {value!r}, allowed is one of {', '.join(action.choices)}."
                + near_match(str(value), action.choices),
            )


def _joined(words: Sequence[str]) -> list[str]:
    """Join a flag and a negative number after it, which argparse would take for another flag."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1].startswith("--") and _NEGATIVE.match(word):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = Parser(
        prog="imagic-lora",
        description="Text-guided editing of one image: fit a small adapter once, edit it at any "
        "strength.",
    )
    parser.add_argument("--version", action="version", version=version("imagic-lora"))
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_demo(commands)
    _add_fit(commands)
    _add_edit(commands)
    _add_img2img(commands)
    _add_export(commands)
    _add_inspect(commands)
    _add_models(commands)
    _add_plan(commands)
    _add_ui(commands)
    return parser


def _add(commands: Any, name: str, help: str) -> Parser:
    """Add a command; its help is one sentence without full stop."""
    command: Parser = commands.add_parser(
        name, help=help, description=f"{help[:1].upper()}{help[1:]}."
    )
    return command


def _add_demo(commands: Any) -> None:
    demo = _add(
        commands, "demo", "fit and edit a bundled picture with a bundled model, within a minute"
    )
    demo.add_argument(
        "--out",
        type=Path,
        default=Path("imagic-demo"),
        metavar="DIR",
        help="folder for what is made (default: imagic-demo)",
    )
    _add_force(demo)


def _add_fit(commands: Any) -> None:
    fit = _add(commands, "fit", "fit one image and save what was learned as a small adapter")
    fit.add_argument("image", type=Path, metavar="IMAGE", help="the image to edit later")
    fit.add_argument(
        "--target",
        type=prompt,
        metavar="TEXT",
        help="prompt of the edited image; may be left out when --source is given",
    )
    captions = fit.add_mutually_exclusive_group()
    captions.add_argument(
        "--source",
        type=prompt,
        metavar="TEXT",
        help="caption of the image as it is (default: the part of the target that is true of it)",
    )
    captions.add_argument(
        "--captioner",
        metavar="MODEL",
        help="take the caption from a captioning model (BLIP, GIT): a folder, or a Hub name that "
        "was downloaded before",
    )
    _add_out(fit, "FILE", "the adapter to write, ending in .safetensors")
    fit.add_argument(
        "--no-thumbnail",
        action="store_true",
        help="keep no small copy of the image for other tools to show",
    )
    _add_model(fit, f"default: {MODEL}", MODEL)
    add_settings(fit, FitSettings, "settings of the fit")


def _add_edit(commands: Any) -> None:
    edit = _add(commands, "edit", "make edited pictures from an adapter")
    edit.add_argument(
        "adapters",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="adapters that fit has saved; the pictures of several stand on one sheet",
    )
    edit.add_argument(
        "--target",
        type=prompt,
        metavar="TEXT",
        help="prompt to edit towards; default: the one that was given to the fit",
    )
    add_several(edit, "--alpha", ALPHA, words=("auto",))
    edit.add_argument(
        "--mask",
        type=Path,
        metavar="IMAGE",
        help="picture of the input's shape: white where the edit may change it, black where the "
        "input stays",
    )
    _add_seeds(edit)
    _add_out(edit, "PATH", "one .png for one picture, or a folder")
    _add_model(edit, "default: the one that the adapter was fitted on", None)
    add_settings(edit, EditSettings, "settings of the pictures", skip=("seed",))


def _add_img2img(commands: Any) -> None:
    img2img = _add(commands, "img2img", "make pictures by plain img2img, to compare edits with")
    img2img.add_argument("image", type=Path, metavar="IMAGE", help="the image to start from")
    img2img.add_argument(
        "--target", type=prompt, required=True, metavar="TEXT", help="prompt of the new image"
    )
    add_several(img2img, "--strength", STRENGTH)
    add_several(img2img, "--noise", NOISE, default=0.0)
    _add_seeds(img2img)
    _add_out(img2img, "PATH", "one .png for one picture, or a folder")
    _add_model(img2img, f"default: {MODEL}", MODEL)
    add_settings(img2img, SamplingSettings, "settings of the pictures", skip=("seed",))


def _add_export(commands: Any) -> None:
    export = _add(commands, "export", "write an adapter for other tools, or in a smaller size")
    export.add_argument("adapter", type=Path, metavar="FILE", help="an adapter that fit has saved")
    export.add_argument(
        "--to",
        choices=("kohya", "diffusers", "adapter"),
        required=True,
        help="'kohya' for ComfyUI, A1111, Forge and SD.Next, 'diffusers' for diffusers and PEFT, "
        "'adapter' for imagic_lora again, in a smaller size",
    )
    export.add_argument(
        "--max-size",
        type=one(_MAX_SIZE),
        metavar="X",
        help=f"{_MAX_SIZE.help} ({_MAX_SIZE.range_text()})",
    )
    _add_out(export, "FILE", "the file to write, ending in .safetensors")


def _add_inspect(commands: Any) -> None:
    inspect = _add(commands, "inspect", "say what made an adapter or a picture")
    inspect.add_argument(
        "file", type=Path, metavar="FILE", help="an adapter, or a PNG that edit or img2img has made"
    )
    inspect.add_argument("--json", action="store_true", help="write JSON, for programs")


def _add_models(commands: Any) -> None:
    _add(commands, "models", "list what base models are supported, and where they come from")


def _add_plan(commands: Any) -> None:
    plan = _add(
        commands, "plan", "say what a model will need on a GPU, and which levers make it fit"
    )
    plan.add_argument(
        "--model",
        required=True,
        metavar="NAME",
        help="sd15, sd21 or sdxl, a Hub name, a pipeline folder, or a .safetensors checkpoint",
    )
    plan.add_argument(
        "--memory", required=True, metavar="SIZE", help="what the GPU has, e.g. 6GB or 5.5GiB"
    )
    plan.add_argument(
        "--exact", action="store_true", help="count every tensor now, which takes minutes"
    )
    plan.add_argument("--json", action="store_true", help="write JSON, for programs")


def _add_ui(commands: Any) -> None:
    ui = _add(commands, "ui", "open a web page to fit, edit, compare and keep adapters")
    ui.add_argument(
        "--adapters",
        type=Path,
        default=Path("imagic-adapters"),
        metavar="DIR",
        help="the folder of the adapters (default: imagic-adapters)",
    )
    ui.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="NAME",
        help="address to listen at; any but this machine's own needs --auth (default: 127.0.0.1)",
    )
    ui.add_argument(
        "--port",
        type=one(_PORT),
        default=7860,
        metavar="N",
        help=f"{_PORT.help} ({_PORT.range_text()}; default: 7860)",
    )
    ui.add_argument(
        "--auth",
        metavar="NAME",
        help="let in only who gives this name and a password, which is asked for at the start",
    )
    _add_model(ui, "default: demo", "demo")


def _add_seeds(parser: Parser) -> None:
    """Add --seeds, which takes the place of the settings' one seed."""
    described = dict(options(SamplingSettings))["seed"]
    add_several(parser, "--seeds", described, default=SamplingSettings.seed)


def _add_out(parser: Parser, metavar: str, help: str) -> None:
    parser.add_argument("-o", "--out", type=Path, required=True, metavar=metavar, help=help)
    _add_force(parser)


def _add_force(parser: Parser) -> None:
    parser.add_argument("--force", action="store_true", help="replace files that exist already")


def _add_model(parser: Parser, ending: str, default: str | None) -> None:
    group = parser.add_argument_group("the base model")
    group.add_argument(
        "--model",
        default=default,
        metavar="NAME",
        help="'demo', a Hub name (owner/name), a pipeline folder, or a .safetensors checkpoint "
        f"({ending})",
    )
    group.add_argument(
        "--config",
        type=Path,
        metavar="DIR",
        help="for a checkpoint: a pipeline folder of the same kind, so that no network is needed",
    )
    group.add_argument(
        "--device",
        metavar="NAME",
        help="where to work, e.g. cuda or cpu (default: a GPU where there is one)",
    )
    group.add_argument(
        "--memory",
        default="auto",
        metavar="SIZE",
        help="what the work may take on the device, e.g. 8GB (default: auto, what is free)",
    )
    group.add_argument(
        "--attention",
        choices=ATTENTION.choices,
        default="auto",
        help=f"{ATTENTION.help} (default: auto)",
    )
