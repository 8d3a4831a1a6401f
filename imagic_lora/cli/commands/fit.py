"""`imagic-lora fit`: an image to an adapter."""

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imagic_lora.cli.flags import command, flag, output, place, prompt, settings_flags, switch, text
from imagic_lora.cli.interrupts import Interrupt
from imagic_lora.cli.model import STABLE_DIFFUSION, BaseModel, base_model
from imagic_lora.cli.terminal import Terminal
from imagic_lora.errors import InputError, PromptError
from imagic_lora.settings import FitSettings
from imagic_lora.units import bytes_text, seconds_text

if TYPE_CHECKING:
    from PIL import Image

    from imagic_lora.adapters.adapter import Adapter


@command("fit", "fit one image and save what was learned as a small adapter")
@place("image", "IMAGE", "the image to edit later")
@flag(
    "--target",
    read=prompt,
    metavar="TEXT",
    help="prompt of the edited image; may be left out when --source is given",
)
@flag(
    "--source",
    read=prompt,
    metavar="TEXT",
    help="caption of the image as it is (default: the part of the target that is true of it)",
)
@flag(
    "--captioner",
    read=text,
    metavar="MODEL",
    help="take the caption from a captioning model (BLIP, GIT): a folder, or a Hub name that was "
    "downloaded before",
)
@output("FILE", "the adapter to write, ending in .safetensors")
@switch("--no-thumbnail", "keep no small copy of the image for other tools to show")
@base_model(STABLE_DIFFUSION)
@settings_flags(FitSettings, "Settings of the fit")
@click.pass_obj
def fit(
    terminal: Terminal,
    *,
    image: Path,
    target: str | None,
    source: str | None,
    captioner: str | None,
    out: Path,
    force: bool,
    no_thumbnail: bool,
    base: BaseModel,
    settings: FitSettings,
) -> None:
    """Fit one image and save the adapter; after an interrupt, what was learned so far."""
    from imagic_lora.adapters.keeping import keep, keep_partial
    from imagic_lora.cli.outputs import check_adapter
    from imagic_lora.images.reading import open_image

    _check_prompts(target, source, captioner)
    check_adapter(out, force=force)
    picture = open_image(image)
    # Before the model is there: the captioner is gone again when the fit needs the memory.
    caption = source if captioner is None else _described(picture, captioner)
    editor = base.load(terminal)
    began = time.monotonic()
    interrupt = Interrupt(terminal)
    with interrupt.caught():
        adapter = editor.fit(
            picture,
            target=target or "",
            source=caption,
            settings=settings,
            thumbnail=not no_thumbnail,
            on_progress=interrupt.on_progress,
        )
        if interrupt.stopped:
            partial = keep_partial(adapter, out)
            terminal.say(
                f"stopped after {len(adapter.record.losses)} steps, {_loss_text(adapter)}; what was "
                f"learned is in {partial}, and {out} was not touched."
            )
            raise KeyboardInterrupt(interrupt.signal)
        keep(adapter, out, force=force)
    terminal.tell(
        f"Fitted {image} in {len(adapter.record.losses)} steps "
        f"({seconds_text(time.monotonic() - began)}); {_loss_text(adapter)}."
    )
    if source is None:
        terminal.tell(f"Caption that was found: {adapter.record.source!r}.")
    terminal.tell(f"Wrote {out} ({bytes_text(len(adapter.to_bytes()))}).")
    terminal.tell(f"Edit it: {_next_command(out, target)}")


def _check_prompts(target: str | None, source: str | None, captioner: str | None) -> None:
    """Raise unless there is something to fit towards, and one caption at most."""
    if source and captioner:
        raise InputError("--captioner is not allowed with --source: each gives the caption.")
    if not (target or source or captioner):
        raise PromptError("a fit needs --target or --source; neither was given.")


def _described(picture: "Image.Image", captioner: str) -> str:
    """Return the caption that a captioning model gives a picture."""
    from imagic_lora.models.captioner import describe_image

    return describe_image(picture, captioner)


def _loss_text(adapter: "Adapter") -> str:
    """Return in words how far the fit brought the loss down."""
    return f"the loss is {adapter.record.gap:.0%} of what it was before"


def _next_command(out: Path, target: str | None) -> str:
    """Return the command that would edit the new adapter."""
    other = "" if target else "--target '...' "
    adapter, pictures = shlex.quote(str(out)), shlex.quote(f"{out.with_suffix('')}-edits")
    return f"imagic-lora edit {adapter} {other}--alpha 0.7,0.9,1.1 -o {pictures}"
