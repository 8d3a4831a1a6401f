"""`imagic-lora fit`: an image to an adapter."""

import argparse
import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain, count
from pathlib import Path

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.cli.flags import read_settings
from imagic_lora.cli.loading import load_editor
from imagic_lora.cli.terminal import Terminal
from imagic_lora.errors import OutputError, PromptError
from imagic_lora.files import check_writable
from imagic_lora.images.reading import open_image
from imagic_lora.models.captioner import describe_image
from imagic_lora.progress import Progress, StopFit
from imagic_lora.settings import FitSettings
from imagic_lora.units import bytes_text, seconds_text

_SUFFIX = ".safetensors"


class Interrupt:
    """Turns the first Ctrl-C of a block into the end of a fit; the second is the usual one.

    Args:
        terminal: Where to show progress and say what happens.

    Attributes:
        stopped: Whether the fit was ended.
    """

    def __init__(self, terminal: Terminal) -> None:
        self.stopped = False
        self._asked = False
        self._terminal = terminal
        self._show = terminal.progress()

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Take Ctrl-C for the length of a block."""
        usual = signal.signal(signal.SIGINT, self._ask)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, usual)

    def _ask(self, *_: object) -> None:
        """Note the first Ctrl-C, and let the next one through."""
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._asked = True
        # A stream that is being written to at this very moment takes nothing from a handler.
        with suppress(RuntimeError):
            self._terminal.say(
                "stopping after this step, to save what was learned; Ctrl-C again drops it"
            )

    def on_progress(self, progress: Progress) -> None:
        """Show a step of the fit, and end the fit if that was asked for."""
        self._show(progress)
        if self._asked:
            self.stopped = True
            raise StopFit


def run(args: argparse.Namespace, terminal: Terminal) -> None:
    """Fit one image and save the adapter; after Ctrl-C, what was learned so far."""
    if not (args.target or args.source or args.captioner):
        raise PromptError("a fit needs --target or --source; neither was given.")
    check_out(args.out, force=args.force)
    image = open_image(args.image)
    settings = read_settings(args, FitSettings)
    # Before the model is there: the captioner is gone again when the fit needs the memory.
    source = describe_image(image, args.captioner) if args.captioner else args.source
    editor = load_editor(args, args.model, terminal)
    began = time.monotonic()
    interrupt = Interrupt(terminal)
    with interrupt.caught():
        adapter = editor.fit(
            image,
            target=args.target or "",
            source=source,
            settings=settings,
            thumbnail=not args.no_thumbnail,
            on_progress=interrupt.on_progress,
        )
    if interrupt.stopped:
        _save_partial(adapter, args.out, terminal)
        raise KeyboardInterrupt
    adapter.save(args.out, force=args.force)
    terminal.tell(
        f"Fitted {args.image} in {len(adapter.record.losses)} steps "
        f"({seconds_text(time.monotonic() - began)}); {loss_text(adapter)}."
    )
    if args.source is None:
        terminal.tell(f"Caption that was found: {adapter.record.source!r}.")
    terminal.tell(f"Wrote {args.out} ({bytes_text(len(adapter.to_bytes()))}).")
    terminal.tell(f"Edit it: {_next_command(args)}")


def check_out(path: Path, *, force: bool) -> None:
    """Raise an OutputError unless an adapter, or another safetensors file, can be written here."""
    if path.suffix != _SUFFIX:
        raise OutputError(
            f"'{path}' does not end in {_SUFFIX}, which is how such files are known; "
            f"choose a name like '{path.with_suffix(_SUFFIX)}'."
        )
    check_writable(path, force=force)


def _save_partial(adapter: Adapter, out: Path, terminal: Terminal) -> None:
    """Save an unfinished fit beside its output, under a name that is free."""
    endings = chain([".partial"], (f".partial-{number}" for number in count(2)))
    paths = (out.with_suffix(ending + _SUFFIX) for ending in endings)
    path = next(path for path in paths if not path.exists())
    adapter.save(path)
    terminal.say(
        f"stopped after {len(adapter.record.losses)} steps, {loss_text(adapter)}; what was learned "
        f"is in {path}, and {out} was not touched."
    )


def loss_text(adapter: Adapter) -> str:
    """Return in words how far the fit brought the loss down."""
    return f"the loss is {adapter.record.gap:.0%} of what it was before"


def _next_command(args: argparse.Namespace) -> str:
    """Return the command that would edit the new adapter."""
    target = "" if args.target else "--target '...' "
    adapter, out = shlex.quote(str(args.out)), shlex.quote(f"{args.out.with_suffix('')}-edits")
    return f"imagic-lora edit {adapter} {target}--alpha 0.7,0.9,1.1 -o {out}"
