"""Leave to use a base model that nobody but an adapter's file has named.

Such a file may come from anywhere: on its word alone nothing is fetched, and no folder is read.
"""

import re
from pathlib import Path

from imagic_lora import demo
from imagic_lora.cli.terminal import Terminal
from imagic_lora.errors import ModelError, quoted
from imagic_lora.hub import is_cached

_NAME = re.compile(r"(?!\.{1,2}(/|$))[^/\\]{1,96}(/(?!\.{1,2}$)[^/\\]{1,96})?")
"""A Hub name, or the bare name of a folder or a file."""


def ask_for(model: str, terminal: Terminal, *, yes: bool) -> None:
    """Raise unless a base model may be used that only an adapter names.

    The bundled model may be, and so may one of the Hub that was fetched before. For others people
    are asked, where they are there to answer.

    Args:
        model: The name.
        terminal: Where to ask.
        yes: Whether the answer was given beforehand.

    Raises:
        ModelError: When it may not be, or the name has not the form of one.
    """
    if not (_NAME.fullmatch(model) and model.isprintable()):
        raise ModelError(
            f"the adapter says that its base model is {quoted(model)}, which is neither a Hub name "
            "(owner/name) nor the bare name of a folder or a file; name the model with --model."
        )
    if yes or model == demo.MODEL:
        return
    if Path(model).exists():
        found, use = "is a file or folder here", "read it"
    elif "/" in model and not is_cached(model):
        found, use = "was never fetched to this machine", "fetch it from the Hub"
    else:
        return
    said = f"the adapter names the base model {quoted(model)}, which {found}"
    if not terminal.agrees(f"{said}; {use}?"):
        raise ModelError(f"{said}; give --yes to {use}, or name another model with --model.")
