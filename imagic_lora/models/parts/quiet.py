"""Holding back what the loaders of diffusers and transformers print by themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

_TURN = RLock()
"""What is switched here is the whole process's: of two threads, one would leave it switched."""


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back progress bars and notes for the length of a block, then put back what was set."""
    # Heavy: imported where the loaders are, not with this module.
    from diffusers.utils import logging as diffusers_logging  # noqa: PLC0415
    from transformers.utils import logging as transformers_logging  # noqa: PLC0415

    with _TURN, _quietened(diffusers_logging), _quietened(transformers_logging):
        yield


@contextmanager
def _quietened(logging: Any) -> Iterator[None]:
    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
