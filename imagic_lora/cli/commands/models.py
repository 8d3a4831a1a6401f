"""`imagic-lora models`: what base models are supported, and where they come from."""

from collections.abc import Mapping

import click

from imagic_lora.cli.flags import command
from imagic_lora.cli.terminal import Terminal

_SOURCES = {
    "demo": "the bundled demo model: small cartoon portraits, for trying things out",
    "owner/name": "a model of the Hugging Face Hub, fetched once",
    "a folder": "a pipeline as diffusers' save_pretrained writes it",
    "a .safetensors file": "one checkpoint; with --config it needs no network",
}


@command("models", "list what base models are supported, and where they come from")
@click.pass_obj
def models(terminal: Terminal) -> None:
    """List families and sources."""
    from imagic_lora.models.families import families

    terminal.tell("\n".join(["Families:", *_rows(families()), "Sources:", *_rows(_SOURCES)]))


def _rows(described: Mapping[str, str]) -> list[str]:
    """Return a line for each name and what it is."""
    return [f"  {name:<20} {summary}" for name, summary in described.items()]
