"""`imagic-lora plan`: what a model will need, before anything is fetched or loaded."""

from json import dumps

import click

from imagic_lora.cli.flags import command, flag, switch, text
from imagic_lora.cli.terminal import Terminal


@command("plan", "say what a model will need on a GPU, and which levers make it fit")
@flag(
    "--model",
    read=text,
    required=True,
    metavar="NAME",
    help="sd15, sd21, sdxl, sd35m, klein4b, klein9b or zimage, a Hub name, a pipeline folder, or a "
    ".safetensors checkpoint",
)
@flag(
    "--memory",
    read=text,
    required=True,
    metavar="SIZE",
    help="what the GPU has, e.g. 6GB or 5.5GiB",
)
@switch("--exact", "count every tensor now, which takes minutes")
@switch("--json", "write JSON, for programs")
@click.pass_obj
def plan(terminal: Terminal, *, model: str, memory: str, exact: bool, json: bool) -> None:
    """Write the table of the phases, or JSON."""
    from imagic_lora.planning.forecast import forecast

    found = forecast(model, memory, exact=exact, on_progress=terminal.progress(model))
    terminal.tell(dumps(found.record(), indent=2) if json else found.table())
