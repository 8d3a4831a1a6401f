"""What a model cannot do that was distilled to a few steps."""

from imagic_lora.errors import FitError, SettingsError
from imagic_lora.models.base import Traits


def check_fit(traits: Traits) -> None:
    """Raise for a model that a fit would spoil: it would lose its few steps.

    Raises:
        FitError: When it is distilled; the error names the model to fit on.
    """
    if traits.base:
        raise FitError(
            f"A fit on {traits.name!r} was asked for, which is distilled to a few steps and would "
            f"lose them; fit on {traits.base!r}, and edit with that adapter here."
        )


def check_negative(traits: Traits, negative: str) -> None:
    """Raise for a negative prompt where a model has no use for one.

    Raises:
        SettingsError: When it is distilled, and was given one.
    """
    if traits.base and negative:
        raise SettingsError(
            f"A negative prompt was given, and {traits.name!r} has none, since it is distilled to a "
            f"few steps; leave it out, or use {traits.base!r}."
        )
