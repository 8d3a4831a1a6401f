"""`imagic-lora models`: what base models are supported, and where they come from."""

import argparse
from collections.abc import Mapping

from imagic_lora.cli.terminal import Terminal
from imagic_lora.models.families import families

_SOURCES = {
    "demo": "the bundled demo model: small cartoon portraits, for trying things out",
    "owner/name": "a model of the Hugging Face Hub, fetched once",
    "a folder": "a pipeline as diffusers' save_pretrained writes it",
    "a .safetensors file": "one checkpoint; with --config it needs no network",
}


def run(args: argparse.Namespace, terminal: Terminal) -> None:  # noqa: ARG001  as every command
    """List families and sources."""
    terminal.tell("\n".join(["Families:", *_rows(families()), "Sources:", *_rows(_SOURCES)]))


def _rows(described: Mapping[str, str]) -> list[str]:
    """Return a line for each name and what it is."""
    return [f"  {name:<20} {summary}" for name, summary in described.items()]
