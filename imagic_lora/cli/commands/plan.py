"""`imagic-lora plan`: what a model will need, before anything is fetched or loaded."""

import argparse
import json

from imagic_lora.cli.terminal import Terminal
from imagic_lora.planning.choose import forecast


def run(args: argparse.Namespace, terminal: Terminal) -> None:
    """Write the table of the phases, or JSON."""
    found = forecast(
        args.model, args.memory, exact=args.exact, on_progress=terminal.progress(args.model)
    )
    terminal.tell(json.dumps(found.record(), indent=2) if args.json else found.table())
