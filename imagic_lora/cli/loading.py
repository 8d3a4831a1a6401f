"""Loading the base model that a command was asked to work with."""

import argparse

from imagic_lora.cli.terminal import Terminal
from imagic_lora.editor import ImagicEditor
from imagic_lora.planning.choose import choose


def load_editor(args: argparse.Namespace, model: str, terminal: Terminal) -> ImagicEditor:
    """Return an editor on the device that was asked for.

    Args:
        args: The parsed command line.
        model: What to load.
        terminal: Where to say so.
    """
    plan = choose(model, args.memory, args.device, args.attention)
    terminal.say(f"loading {model} on {plan.device}")
    return ImagicEditor.from_pretrained(model, memory=plan, config=args.config)
