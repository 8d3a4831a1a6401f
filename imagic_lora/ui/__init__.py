"""A web page over the same settings: fit, edit, compare, and a library of adapters.

This folder holds layout and wiring; only it knows gradio, and nothing of it is loaded before a page
is asked for.
"""

from importlib.util import find_spec

from imagic_lora.errors import MissingExtraError


def check_installed() -> None:
    """Raise a MissingExtraError unless what the page needs is installed."""
    if find_spec("gradio") is None:
        raise MissingExtraError("gradio", "ui", "the web page")
