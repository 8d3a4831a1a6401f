"""`imagic-lora models`: what base models are supported, and where they come from."""

import argparse

from imagic_lora.cli.terminal import Terminal
from imagic_lora.models import families

_SOURCES = {
    "demo": "the bundled demo model: small cartoon portraits, for trying things out",
    "owner/name": "a model of the Hugging Face Hub, fetched once",
    "a folder": "a pipeline as diffusers' save_pretrained writes it",
    "a .safetensors file": "one checkpoint; with --config it needs no network",
}


def run(args: argparse.Namespace, terminal: Terminal) -> None:  # noqa: ARG001  as every command
    """List families and sources."""
    terminal.tell("Families:")
    for name, summary in families().items():
        terminal.tell(f"  {name:<20} {summary}")
    terminal.tell("Sources, for --model:")
    for name, summary in _SOURCES.items():
        terminal.tell(f"  {name:<20} {summary}")
