"""`imagic-lora bench`: one of the field's benchmarks, edited, scored and reported."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imagic_lora.bench.choices import BENCHMARKS, METHODS, SCORERS, STAGES, WEIGHED
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
from imagic_lora.errors import InputError, SettingsError, near_match, quoted
from imagic_lora.files import check_writable
from imagic_lora.settings import Option, WorkerSettings

if TYPE_CHECKING:
    from imagic_lora.bench.editing import Editing
    from imagic_lora.bench.evaluation import Evaluation
    from imagic_lora.bench.judging.judge import Judge
    from imagic_lora.bench.rows import Settings

_NAME = Option("name of a benchmark", kind=str, choices=BENCHMARKS)
_METHOD = Option("rows of the table; default: all that there are", kind=str, choices=METHODS)
_SCORER = Option("scores; default: those of the benchmark", kind=str, choices=SCORERS)
_STAGE = Option("what is done; default: all of it", kind=str, choices=STAGES)
_LIMIT = Option("so many items, evenly over the kinds of edits", kind=int, low=1)

_SCORES, _OURS = "Scores", "What is edited, and how"


def _folder(words: str) -> tuple[str, str]:
    """Return the row and the folder of others' pictures; a folder alone is called by its own name."""
    name, equals, folder = words.partition("=")
    found = (name, folder) if equals else (Path(words).resolve().name, words)
    if not all(found):
        raise InputError(f"the value was {quoted(words)}, allowed is e.g. imagen=tedbench/imagic.")
    return found


def _weights(words: str) -> tuple[str, str]:
    """Return a scorer and where its weights are."""
    name, _, place = words.partition("=")
    if name not in WEIGHED or not place:
        raise InputError(
            f"the value was {quoted(words)}, allowed is NAME=FOLDER with a name of "
            f"{', '.join(WEIGHED)}.{near_match(name, WEIGHED)}"
        )
    return name, place


def _server(words: str) -> str:
    """Return an address that may be a judge's."""
    if not words.startswith(("http://", "https://")):
        raise InputError(
            f"the value was {quoted(words)}, allowed is e.g. http://localhost:8000/v1."
        )
    return words


@command(
    "bench", "edit one of the field's benchmarks, score it and write a report, or what is left"
)
@place("name", "NAME", f"one of {', '.join(BENCHMARKS)}", read=one(_NAME))
@flag(
    "--data",
    read=path,
    required=True,
    metavar="DIR",
    help="folder of the benchmark, in the layout of its authors",
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
    read=_folder,
    multiple=True,
    metavar="[ROW=]DIR",
    help="a folder of anybody's pictures, named as the authors name theirs; may be given again",
    section=_SCORES,
)
@several_of("--scorers", _SCORER, default=())
@flag(
    "--weights",
    read=_weights,
    multiple=True,
    metavar="SCORER=DIR",
    help="where the weights of a score are: a folder, or a Hub name; may be given again",
    section=_SCORES,
)
@flag(
    "--judge",
    read=_server,
    metavar="URL",
    help="OpenAI-style address of a judge, e.g. http://localhost:8000/v1; needs --judge-model",
    section=_SCORES,
)
@flag("--judge-model", read=text, metavar="NAME", help="name of the judge there", section=_SCORES)
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
    asked = _asked(out or Path(), given)
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
        editing = _editing(asked, given) if base.model else None
        if editing is not None and "edit" in stages:
            failed = editing.go(View(terminal, base.model), shard, given["settings"])
        if not shard:
            Bench(asked, editing).after(stages, terminal.passing)
    terminal.tell(f"{f'{failed} pictures failed. ' if failed else ''}All of it is in {out}.")
    if failed:
        raise click.exceptions.Exit(FAILED)


def _asked(out: Path, given: dict[str, Any]) -> "Evaluation":
    """Return what is asked of the benchmark."""
    from imagic_lora.bench.catalogue import BENCHMARKS as LOADERS
    from imagic_lora.bench.catalogue import WEIGHTS
    from imagic_lora.bench.evaluation import Evaluation

    return Evaluation(
        benchmark=LOADERS[given["name"]],
        data=given["data"],
        out=out,
        captions=given["captions"],
        limit=given["limit"],
        others=_once("--score", given["score"]),
        scorers=given["scorers"],
        weights={**WEIGHTS, **_once("--weights", given["weights"])},
        judge=_judge(given["judge"], given["judge_model"]),
    )


def _once(flag: str, named: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Return what was named, each once."""
    found = dict(named)
    if len(found) < len(named):
        raise InputError(f"{flag} names one thing twice; give each a name of its own, NAME=FOLDER.")
    return found


def _judge(url: str | None, model: str | None) -> "Judge | None":
    """Return the judge, where there is one."""
    from imagic_lora.bench.judging.judge import Judge
    from imagic_lora.bench.judging.server import Server

    if url is None and model is None:
        return None
    if not (url and model):
        raise InputError("A judge needs both --judge and --judge-model; give the other one, too.")
    return Judge(Server(url, model))


def _settings(given: dict[str, Any]) -> "Settings":
    """Return the settings of the product, checked."""
    from imagic_lora.bench.rows import Settings
    from imagic_lora.runs.rows import settings_of
    from imagic_lora.settings import EditSettings, FitSettings

    if sizes := {"width", "height"} & {*given["fit"], *given["edit"]}:
        raise SettingsError(
            f"{' and '.join(sorted(sizes))} cannot be given: each picture is worked on whole, at a "
            "size that the model was trained on."
        )
    settings_of(FitSettings, "fit", given["fit"])
    settings_of(EditSettings, "edit", given["edit"])
    return Settings(given["fit"], given["edit"])


def _editing(asked: "Evaluation", given: dict[str, Any]) -> "Editing":
    """Return what edits."""
    from imagic_lora.bench.editing import Editing
    from imagic_lora.bench.rows import methods_of, rivals_of

    base, settings = given["base"], _settings(given)
    if Path(base.model).is_file() and base.config is None:
        raise InputError(
            f"The model is the checkpoint {quoted(Path(base.model).name)}, which does not say the "
            "size of its pictures; give a pipeline folder of the same kind by --config."
        )
    folder = given["instruct_pix2pix"]
    instruct = None if folder is None else str(folder)
    methods = methods_of(given["methods"], base.config or base.model, instruct, asked.items)
    return Editing(
        items=asked.numbered,
        methods=methods,
        rivals=rivals_of(methods, instruct),
        model=base.model,
        loading=base.loading(),
        settings=settings,
        out=asked.out,
        force=given["force"],
    )


def _check(terminal: Terminal, asked: "Evaluation") -> None:
    """Say what a folder holds and all that is wrong with it."""
    loaded = asked.loaded
    pictures = len({item.picture for item in loaded.items})
    lines = [f"{asked.benchmark.title}: {len(loaded.items)} items of {pictures} pictures"]
    lines += [
        f"  {sum(item.kind == kind for item in loaded.items):4d}  {kind}"
        for kind in asked.benchmark.kinds
    ]
    terminal.tell("\n".join(lines))
    for problem in loaded.problems:
        terminal.say(f"bad: {problem}")
    if loaded.problems:
        raise InputError(
            f"{len(loaded.problems)} items of '{asked.data}' cannot be used and are named above."
        )
