"""`imagic-lora export`: an adapter's LoRA for other tools."""

import argparse

from imagic_lora.adapter import Adapter
from imagic_lora.cli.fit import check_out
from imagic_lora.cli.terminal import Terminal, bytes_text
from imagic_lora.export import export_lora


def run(args: argparse.Namespace, terminal: Terminal) -> None:
    """Write the LoRA of one adapter."""
    check_out(args.out, force=args.force)
    adapter = Adapter.load(args.adapter)
    export_lora(adapter, args.out, args.to, force=args.force)
    prompt = adapter.record.source or adapter.record.target
    terminal.tell(f"Wrote {args.out} ({bytes_text(args.out.stat().st_size)}).")
    terminal.tell(
        f"Prompt it with {prompt!r}; the learned embedding, which other tools cannot read, stayed "
        "behind."
    )
