"""`imagic-lora export`: an adapter for other tools, or in a smaller size."""

import argparse
from dataclasses import asdict

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.adapters.exporting import export_lora, lora_bytes
from imagic_lora.adapters.modelspec import needs_words_alone
from imagic_lora.cli.commands.fit import check_out
from imagic_lora.cli.terminal import Terminal
from imagic_lora.errors import SettingsError
from imagic_lora.units import bytes_text


def run(args: argparse.Namespace, terminal: Terminal) -> None:
    """Write one adapter, or its LoRA."""
    check_out(args.out, force=args.force)
    adapter = Adapter.load(args.adapter)
    if args.max_size is not None:
        adapter = _compacted(adapter, args.to, int(1e6 * args.max_size))
    if args.to == "adapter":
        if args.max_size is None:
            raise SettingsError(
                "--to adapter writes a smaller adapter; say how small by --max-size."
            )
        adapter.save(args.out, force=args.force)
    else:
        export_lora(adapter, args.out, args.to, force=args.force)
    terminal.tell(f"Wrote {args.out} ({bytes_text(args.out.stat().st_size)}).")
    if args.to != "adapter":
        terminal.tell(_prompting(adapter))


def _compacted(adapter: Adapter, tool: str, max_bytes: int) -> Adapter:
    """Return an adapter so small that the file which is written keeps to a size."""
    if tool == "adapter":
        return adapter.compact(max_bytes)
    # What other formats spend on names and headers has to come out of the weights too, and depends
    # on which layers are left.
    smaller, allowed = adapter, max_bytes
    while (excess := len(lora_bytes(smaller, tool)) - max_bytes) > 0:  # type: ignore[arg-type]
        allowed -= excess
        smaller = adapter.compact(allowed)
    return smaller


def _prompting(adapter: Adapter) -> str:
    """Return how to prompt other tools."""
    record = asdict(adapter.record)
    prompt = f"Prompt it with {record['source'] or record['target']!r}"
    if needs_words_alone(record["settings"]):
        return f"{prompt}; that is all it needs, since its embedding is the caption's own."
    return f"{prompt}; the learned embedding, which other tools cannot read, stayed behind."
