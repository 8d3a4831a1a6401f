"""`imagic-lora export`: an adapter for other tools, or in a smaller size."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import click

from imagic_lora.cli.flags import command, flag, one, output, place
from imagic_lora.cli.terminal import Terminal
from imagic_lora.errors import SettingsError
from imagic_lora.settings import Option
from imagic_lora.units import bytes_text

if TYPE_CHECKING:
    from imagic_lora.adapters.adapter import Adapter

Form = Literal["kohya", "diffusers", "adapter"]

_FORM = Option(
    "'kohya' for ComfyUI, A1111, Forge and SD.Next, 'diffusers' for diffusers and PEFT, 'adapter' "
    "for imagic_lora again, in a smaller size",
    kind=str,
    choices=get_args(Form),
)
_MAX_SIZE = Option(
    "largest size of the adapter's file, kept to by leaving out what changes the least; "
    "default: as it is",
    low=0.01,
    high=1000,
    unit="MB",
)


@command("export", "write an adapter for other tools, or in a smaller size")
@place("adapter", "FILE", "an adapter that fit has saved")
@flag("--to", read=one(_FORM), required=True, metavar="FORM", help=_FORM.help)
@flag(
    "--max-size",
    read=one(_MAX_SIZE),
    metavar="X",
    help=f"{_MAX_SIZE.help} ({_MAX_SIZE.range_text()})",
)
@output("FILE", "the file to write, ending in .safetensors")
@click.pass_obj
def export(
    terminal: Terminal,
    *,
    adapter: Path,
    to: Form,
    max_size: float | None,
    out: Path,
    force: bool,
) -> None:
    """Write one adapter, or its LoRA."""
    from imagic_lora.adapters.adapter import Adapter
    from imagic_lora.adapters.exporting import export_lora
    from imagic_lora.cli.outputs import check_adapter

    check_adapter(out, force=force)
    found = Adapter.load(adapter)
    if max_size is not None:
        found = _compacted(found, to, int(1e6 * max_size))
    elif to == "adapter":
        raise SettingsError("--to adapter writes a smaller adapter; say how small by --max-size.")
    if to == "adapter":
        found.save(out, force=force)
    else:
        export_lora(found, out, to, force=force)
    terminal.tell(f"Wrote {out} ({bytes_text(out.stat().st_size)}).")
    if to != "adapter":
        terminal.tell(_prompting(found))


def _compacted(adapter: "Adapter", form: Form, max_bytes: int) -> "Adapter":
    """Return an adapter so small that the file which is written keeps to a size."""
    from imagic_lora.adapters.exporting import lora_bytes

    if form == "adapter":
        return adapter.compact(max_bytes)
    # What other formats spend on names and headers has to come out of the weights too, and depends
    # on which layers are left.
    smaller, allowed = adapter, max_bytes
    while (excess := len(lora_bytes(smaller, form)) - max_bytes) > 0:
        allowed -= excess
        smaller = adapter.compact(allowed)
    return smaller


def _prompting(adapter: "Adapter") -> str:
    """Return how to prompt other tools."""
    prompt = f"Prompt it with {adapter.record.caption!r}"
    if adapter.record.needs_words_alone:
        return f"{prompt}; that is all it needs, since its embedding is the caption's own."
    return f"{prompt}; the learned embedding, which other tools cannot read, stayed behind."
