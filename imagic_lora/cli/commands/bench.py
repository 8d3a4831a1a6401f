"""`imagic-lora bench`: one of the field's benchmarks, edited, scored and reported."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imagic_lora.bench.choices import BENCHMARKS, METHODS, SCORERS, STAGES
from imagic_lora.cli import benchmark
from imagic_lora.cli.events import FAILED, View, naming_problems, shard_flag
from imagic_lora.cli.flags import (
    command,
    flag,
    one,
    pairs,
    path,
    place,
    settings_flags,
    several_of,
    switch,
    text,
)
from imagic_lora.cli.model import BaseModel, base_model
from imagic_lora.cli.terminal import Terminal
from imagic_lora.errors import InputError
from imagic_lora.files import check_writable
from imagic_lora.settings import Option, WorkerSettings

if TYPE_CHECKING:
    from imagic_lora.bench.evaluation import Evaluation

_NAME = Option("name of a benchmark", kind=str, choices=BENCHMARKS)
_METHOD = Option("rows of the table; default: all that there are", kind=str, choices=METHODS)
_SCORER = Option("scores; default: those of the benchmark", kind=str, choices=SCORERS)
_STAGE = Option("what is done; default: all of it", kind=str, choices=STAGES)
_LIMIT = Option("so many items, evenly over the kinds of edits", kind=int, low=1)

_SCORES, _OURS = "Scores", "What is edited, and how"


@command(
    "bench", "edit one of the field's benchmarks, score it and write a report, or what is left"
)
@place("name", "NAME", f"one of {', '.join(BENCHMARKS)}", read=one(_NAME))
@flag(
    "--data",
    read=benchmark.data,
    required=True,
    metavar="DIR",
    help="folder of the benchmark, in the layout of its authors; or hub, or hub@COMMIT: fetch it from "
    "the Hugging Face Hub; with --check, say how much that is",
)
@flag(
    "-o",
    "--out",
    read=path,
    metavar="DIR",
    help="folder for all that is made; with --check it may be left out",
)
@switch("--check", "say what the folder holds and all that is wrong with it, and do nothing")
@flag("--limit", read=one(_LIMIT), metavar="N", help=_LIMIT.help)
@flag(
    "--captions",
    read=path,
    metavar="FILE",
    help="JSON of captions, for benchmarks that have instructions alone",
)
@several_of("--stages", _STAGE, default=())
@shard_flag
@switch("--force", "make pictures anew that were made for something else than is asked now")
@flag(
    "--score",
    read=benchmark.folder,
    multiple=True,
    metavar="[ROW=]DIR",
    help="a folder of anybody's pictures, named as the authors name theirs; may be given again",
    section=_SCORES,
)
@several_of("--scorers", _SCORER, default=())
@flag(
    "--own-scorer",
    read=benchmark.scorer,
    multiple=True,
    metavar="MODULE:NAME",
    help="a scorer of your own, where Python finds it; then no others, but for --scorers; may be "
    "given again",
    section=_SCORES,
)
@flag(
    "--weights",
    read=benchmark.weights,
    multiple=True,
    metavar="SCORER=DIR",
    help="where the weights of a score are: a folder, or a Hub name; may be given again",
    section=_SCORES,
)
@flag(
    "--judge",
    read=benchmark.judge_place,
    metavar="URL",
    help="where a judge is: an OpenAI-style address, e.g. http://localhost:8000/v1; or here, in this "
    "process; needs --judge-model",
    section=_SCORES,
)
@flag(
    "--judge-model",
    read=text,
    metavar="NAME",
    help="name of the judge there; here, a folder or a Hub name of a vision-language model",
    section=_SCORES,
)
@flag(
    "--questions",
    read=path,
    metavar="FILE",
    help="the authors' own questions to the judge: judge_prompt.json of imgedit, vie_prompts.py of "
    "gedit; without it, ours",
    section=_SCORES,
)
@several_of("--methods", _METHOD, default=())
@flag(
    "--fit",
    read=pairs("rank=8,steps=20"),
    default={},
    metavar="NAME=VALUE,...",
    help="settings of the fits, e.g. rank=8,steps=20",
    section=_OURS,
)
@flag(
    "--edit",
    read=pairs("steps=30,guidance=3"),
    default={},
    metavar="NAME=VALUE,...",
    help="settings of the pictures, e.g. steps=30",
    section=_OURS,
)
@flag(
    "--instruct-pix2pix",
    read=path,
    metavar="DIR",
    help="pipeline folder of InstructPix2Pix, to have it as a row",
    section=_OURS,
)
@base_model("", "without it nothing is edited, and others' pictures are scored alone")
@settings_flags(WorkerSettings, "Several GPUs, by Ray")
@click.pass_obj
def bench(
    terminal: Terminal, /, *, out: Path | None, check: bool, shard: str, **given: Any
) -> None:
    """Do what is left of a benchmark."""
    from imagic_lora.bench.evaluation import Bench

    if out is None and not check:
        raise click.UsageError("a value is required: -o/--out", click.get_current_context())
    if check and (size := benchmark.to_fetch(given)):
        terminal.tell(f"{size} would be fetched; the same line without --check does that.")
        return
    asked = benchmark.evaluation(out, given)
    if check or out is None:
        _check(terminal, asked)
        return
    base: BaseModel = given["base"]
    stages = given["stages"] or tuple(STAGES)
    if not base.model and not asked.others:
        raise InputError("There is nothing to score; give --model to edit, --score, or --check.")
    if "judge" in given["stages"] and asked.judge is None:
        raise InputError("The stage 'judge' was asked for; give --judge and --judge-model.")
    asked.foreign()
    check_writable(out / "report.md", force=True)
    if "score" in stages and not shard:
        asked.check_scorers()
    failed = 0
    with naming_problems(terminal):
        editing = benchmark.editing(asked, given) if base.model else None
        if editing is not None and "edit" in stages:
            failed = editing.go(View(terminal, base.model), shard, given["settings"])
        if not shard:
            Bench(asked, editing).after(stages, terminal.passing)
    terminal.tell(f"{f'{failed} pictures failed. ' if failed else ''}All of it is in {out}.")
    if failed:
        raise click.exceptions.Exit(FAILED)


def _check(terminal: Terminal, asked: "Evaluation") -> None:
    """Say what a folder holds and all that is wrong with it."""
    loaded = asked.loaded
    pictures = len({item.picture for item in loaded.items})
    lines = [f"{asked.benchmark.title}: {len(loaded.items)} items of {pictures} pictures"]
    lines += [
        f"  {sum(item.kind == kind for item in loaded.items):4d}  {kind}" for kind in asked.kinds
    ]
    terminal.tell("\n".join(lines))
    for problem in loaded.problems:
        terminal.say(f"bad: {problem}")
    if loaded.problems:
        raise InputError(
            f"{len(loaded.problems)} items of '{asked.data}' cannot be used and are named above."
        )
