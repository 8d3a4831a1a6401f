"""Every error and warning that the library raises on purpose.

    ImagicError
    ├── InputError (also a ValueError)
    │   ├── ImageError        an image that cannot be read or is out of limits
    │   ├── JobsError         rows of a job file that cannot be done
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
    ├── JudgeError            a judge of pictures that is out of reach, or is none
    ├── OutputError           a path that cannot be written, or exists already
    └── MissingExtraError     an optional package that is not installed

Anything else that escapes the library is a bug. This module imports nothing but the standard
library.
"""

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from difflib import get_close_matches
from reprlib import Repr

_QUOTED = 80
_LISTENER: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)


class ImagicError(Exception):
    """Base of every error that the library raises on purpose.

    The message is one sentence: what was asked, what was found, what is allowed, what to do.
    """


class InputError(ImagicError, ValueError):
    """Something that the caller passed cannot be used."""


class ImageError(InputError):
    """An image cannot be read, or is outside the limits."""


class JobsError(InputError):
    """Rows of a job file cannot be done.

    Args:
        name: Name of the file.
        problems: What is wrong, in a sentence for each row that begins with its line.

    Attributes:
        problems: The same.
    """

    def __init__(self, name: str, problems: Sequence[str]) -> None:
        self._name, self.problems = name, tuple(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n".join([f"{count} with rows of {quoted(name)}:", *problems]))

    def __reduce__(self) -> tuple[type["JobsError"], tuple[str, tuple[str, ...]]]:
        return type(self), (self._name, self.problems)


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


class JudgeError(ImagicError):
    """The server of a judge of pictures is out of reach, or does not answer as one."""


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
        self._about = (package, extra, purpose)
        super().__init__(
            f"{purpose} needs the package '{package}', which is not installed; "
            f"install it with: pip install 'imagic-lora[{extra}]'."
        )

    def __reduce__(self) -> tuple[type["MissingExtraError"], tuple[str, str, str]]:
        return type(self), self._about


class ImagicWarning(UserWarning):
    """Something was adjusted or may surprise: the result is valid, but worth a look."""


def warn(message: str) -> None:
    """Tell whoever called the library that something was adjusted or may surprise.

    It is an ImagicWarning at the caller's own line, however deep in the library it arose; within
    `heard_by` it goes to the listener instead.

    Args:
        message: One sentence.
    """
    listener = _LISTENER.get()
    if listener is not None:
        listener(message)
        return
    package, level, frame = __name__.partition(".")[0], 1, sys._getframe()  # noqa: SLF001
    while frame.f_back is not None and frame.f_globals["__name__"].partition(".")[0] == package:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, ImagicWarning, stacklevel=level)


@contextmanager
def heard_by(listener: Callable[[str], None]) -> Iterator[None]:
    """Hand the warnings of a block to a function, in this thread or task alone.

    Python's own filters are the whole process's, so that switching them in a thread would silence
    the others.

    Args:
        listener: Takes the sentence of each warning.
    """
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def near_match(word: str, allowed: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the allowed word nearest to a mistyped one, else "".

    Args:
        word: What was typed.
        allowed: What could have been meant.
    """
    matches = get_close_matches(word, list(allowed), n=1)
    return f" Did you mean '{matches[0]}'?" if matches else ""


def quoted(value: object) -> str:
    """Return a value as Python writes it, for a sentence: one line of at most 80 characters.

    A text from a file or a prompt may be megabytes long and hold what no terminal can print; of a
    long one the beginning and the end are kept.

    Args:
        value: What was found.
    """
    short = Repr()
    short.maxstring = short.maxother = short.maxlong = _QUOTED
    try:
        text = short.repr(value)
    except ValueError:  # Python writes out no whole number of many thousand digits
        return "a number of thousands of digits"
    return text if len(text) <= _QUOTED else f"{text[: _QUOTED - 3]}..."
