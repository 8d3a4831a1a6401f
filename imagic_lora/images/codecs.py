"""What Pillow's readers are written in prints by itself, on damaged files by the hundred lines."""

import ctypes
from contextlib import suppress
from functools import cache

from PIL import _imaging


@cache
def silence() -> None:
    """Let libtiff say nothing; that a file is damaged, Pillow raises in any case.

    Once for the whole process, since a standard error that changes hands while threads read would
    be lost to all of them.
    """
    with suppress(OSError, AttributeError):  # built into Pillow, or not there
        library = ctypes.CDLL(_imaging.__file__)
        library.TIFFSetErrorHandler(None)
        library.TIFFSetWarningHandler(None)
