"""Why weights of a metric could not be had, in a sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

from imagic_lora.errors import ModelError


@contextmanager
def loading(what: str, weights: str, scorer: str) -> Iterator[None]:
    """Turn the failure of loading weights into one sentence.

    Args:
        what: Kind of model.
        weights: Where they were looked for.
        scorer: Name of the scorer on the command line.

    Raises:
        ModelError: When they could not be loaded.
    """
    try:
        yield
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise ModelError(
            f"The {what} weights '{weights}' cannot be loaded ({reason}); give a folder that holds "
            f"them by --weights {scorer}=FOLDER, or leave '{scorer}' out of --scorers."
        ) from error
