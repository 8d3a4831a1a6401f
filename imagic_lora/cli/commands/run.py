"""`imagic-lora run`: a file of jobs to a folder of pictures."""

import json as encoding
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imagic_lora.cli.events import FAILED, Events, View, naming_problems, shard_flag
from imagic_lora.cli.flags import command, flag, pairs, path, place, settings_flags, switch
from imagic_lora.cli.model import STABLE_DIFFUSION, BaseModel, base_model
from imagic_lora.cli.terminal import Terminal
from imagic_lora.settings import WorkerSettings

if TYPE_CHECKING:
    from imagic_lora.runs.jobs import Jobs


@command("run", "make every picture that a file of jobs asks for, or those still missing")
@place("jobs", "FILE", "a row for each edit: JSON Lines, a JSON list, or CSV (.csv)")
@flag(
    "-o",
    "--out",
    read=path,
    metavar="DIR",
    help="folder for adapters, pictures and what is to be known of them; with --check it may be "
    "left out",
)
@switch("--check", "check the file and every picture in it, and do nothing")
@flag(
    "--columns",
    read=pairs("image=img_name,target=text"),
    default={},
    metavar="NAME=COLUMN,...",
    help="what columns are called in the file, e.g. image=img_name,target=target_text",
)
@flag(
    "--root",
    read=path,
    metavar="DIR",
    help="folder that paths of pictures start from (default: that of the file)",
)
@shard_flag
@switch("--force", "make pictures anew that were made for something else than is asked now")
@switch("--json", "write what happens as JSON Lines, for programs")
@base_model(STABLE_DIFFUSION)
@settings_flags(WorkerSettings, "Several GPUs, by Ray")
@click.pass_obj
def run(
    terminal: Terminal,
    *,
    jobs: Path,
    out: Path | None,
    check: bool,
    columns: dict[str, str],
    root: Path | None,
    shard: str,
    force: bool,
    json: bool,
    base: BaseModel,
    settings: WorkerSettings,
) -> None:
    """Do what is left of a file of jobs."""
    from imagic_lora.runs.jobs import read_jobs

    if out is None and not check:
        raise click.UsageError("a value is required: -o/--out", click.get_current_context())
    with naming_problems(terminal):
        found = read_jobs(jobs, columns=columns, root=root)
        if check or out is None:
            terminal.tell(_counts(found))
            return
        from imagic_lora.runs.run import run  # a check needs none of what this loads

        report = run(
            found,
            out,
            base.model,
            shard=shard,
            force=force,
            workers=settings,
            on_event=Events(terminal) if json else View(terminal, base.model),
            **base.loading(),
        )
    if json:
        terminal.tell(encoding.dumps({"event": "ended", **report.summary()}))
    else:
        terminal.tell(f"{report.explain()}\nAll of it is in {out}.")
    if not report.complete:
        raise click.exceptions.Exit(FAILED)


def _counts(jobs: "Jobs") -> str:
    """Return in words what a file of jobs comes to."""
    pictures = len({row.image.place for row in jobs.rows})
    return f"{len(jobs.rows)} rows of {pictures} pictures can be done, with {len(jobs.grouped())} fits."
