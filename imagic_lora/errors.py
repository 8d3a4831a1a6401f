"""Every error and warning that the library raises on purpose.

    ImagicError
    ├── InputError (also a ValueError)
    │   ├── ImageError        an image that cannot be read or is out of limits
    │   ├── PromptError       a prompt that is empty or missing
    │   └── SettingsError     a setting out of its range
    ├── ModelError            a base model that is missing, incomplete or unsupported
    ├── AdapterError
    │   ├── AdapterFileError      a file that is truncated, foreign or hostile
    │   └── AdapterMismatchError  an adapter that belongs to another kind of model
    ├── DeviceError           a device that is not there, or too small
    ├── FitError              a fit that diverged
    ├── SamplingError         a picture that became no numbers
    ├── HubError              a repository that is missing, or a Hub out of reach
    ├── OutputError           a path that cannot be written, or exists already
    └── MissingExtraError     an optional package that is not installed

Anything else that escapes the library is a bug. This module imports nothing but the standard
library.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class ImagicError(Exception):
    """Base of every error that the library raises on purpose.

    The message is one sentence: what was asked, what was found, what is allowed, what to do.
    """


class InputError(ImagicError, ValueError):
    """Something that the caller passed cannot be used."""


class ImageError(InputError):
    """An image cannot be read, or is outside the limits."""


class PromptError(InputError):
    """A prompt is empty or missing."""


class SettingsError(InputError):
    """A setting is outside its range."""


class ModelError(ImagicError):
    """A base model is missing, incomplete or of an unsupported kind."""


class AdapterError(ImagicError):
    """An adapter cannot be used."""


class AdapterFileError(AdapterError):
    """An adapter file is truncated, foreign, hostile or from a newer version."""


class AdapterMismatchError(AdapterError):
    """An adapter belongs to another family or width of base model."""


class DeviceError(ImagicError):
    """A device is not there, or is too small for the job."""


class FitError(ImagicError):
    """A fit diverged."""


class SamplingError(ImagicError):
    """Denoising ended in values that are no numbers."""


class HubError(ImagicError):
    """A repository on the Hugging Face Hub is missing or refused, or the Hub is out of reach."""


class OutputError(ImagicError):
    """A path cannot be written, or exists already."""


class MissingExtraError(ImagicError, ImportError):
    """An optional package is not installed.

    Args:
        package: The package that is missing.
        extra: The extra of this library that brings it.
        purpose: What it was wanted for.
    """

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package '{package}', which is not installed; "
            f"install it with: pip install 'imagic-lora[{extra}]'."
        )


class ImagicWarning(UserWarning):
    """Something was adjusted or may surprise: the result is valid, but worth a look."""


def near_match(word: str, allowed: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the allowed word nearest to a mistyped one, else "".

    Args:
        word: What was typed.
        allowed: What could have been meant.
    """
    matches = get_close_matches(word, list(allowed), n=1)
    return f" Did you mean '{matches[0]}'?" if matches else ""
