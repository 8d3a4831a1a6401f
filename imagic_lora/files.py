"""Writing files: a whole file or nothing.

Every file that the library leaves behind goes through `write_atomic`. What was there before stays
as it was until the new file is complete, and a failure leaves nothing half-written. Missing parent
folders are made when there is something to write, never by the check before it.
"""

import os
import secrets
import stat
import tempfile
from pathlib import Path

from imagic_lora.errors import OutputError


def check_writable(path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Raise unless a file can be written here; meant for before the heavy work.

    Nothing is created: where the folder is missing, the nearest one above it is tried instead.

    Args:
        path: The file to be written later.
        force: Whether a file that exists already may be replaced.

    Raises:
        OutputError: The file exists already, is not a file, or its folder cannot be written to.
    """
    try:
        target = Path(os.path.realpath(path))
        _check_target(target, force=force)
        with tempfile.TemporaryFile(dir=_nearest_folder(target)):
            pass
    except (OSError, ValueError) as error:
        raise _cannot_write(path, error) from error


def write_atomic(path: str | os.PathLike[str], data: bytes, *, force: bool = False) -> None:
    """Write a whole file, or leave everything as it was.

    The bytes go to a temporary file in the same folder, are flushed to the disk, and then take the
    place of the target in one step. A symbolic link is followed, not replaced.

    Args:
        path: The file to write; missing parent folders are made.
        data: All of its bytes.
        force: Whether a file that exists already may be replaced.

    Raises:
        OutputError: The file exists already, is not a file, or cannot be written.
    """
    try:
        target = Path(os.path.realpath(path))
        _check_target(target, force=force)
        target.parent.mkdir(parents=True, exist_ok=True)
        _replace(target, data)
    except (OSError, ValueError) as error:
        raise _cannot_write(path, error) from error


def _check_target(target: Path, *, force: bool) -> None:
    """Raise an OutputError where something that must stay is in the way."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise OutputError(f"cannot write {target}: it is not a file; choose another name.")
    if not force:
        raise OutputError(
            f"{target} exists already; choose another name, or replace it with --force "
            "(force=True from Python)."
        )


def _nearest_folder(target: Path) -> Path:
    """Return the nearest thing above a path that exists already."""
    return next(parent for parent in target.parents if parent.exists())


def _replace(target: Path, data: bytes) -> None:
    """Put the bytes in the target's place in one step."""
    part = target.parent / f".{secrets.token_hex(8)}.part"
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _cannot_write(path: str | os.PathLike[str], error: OSError | ValueError) -> OutputError:
    """Return the OutputError for what the operating system said."""
    reason = str(getattr(error, "strerror", None) or error)
    return OutputError(
        f"cannot write {os.fspath(path)!r}: {reason[:1].lower()}{reason[1:]}; choose another place."
    )
