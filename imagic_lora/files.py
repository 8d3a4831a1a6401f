"""Writing files: a whole file or nothing.

Every file that the library leaves behind goes through `write_atomic`. What was there before stays
as it was until the new file is complete, and a failure leaves nothing half-written. Missing parent
folders are made when there is something to write, never by the check before it.
"""

import os
import re
import secrets
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from imagic_lora.errors import OutputError, quoted

if sys.platform != "win32":
    import fcntl

_PART = re.compile(r"\.[0-9a-f]{16}\.part")
_STALE = 24 * 3600
"""Seconds after which an unfinished file has no writer any more, on systems without locks."""


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
        _mode_of(target, force=force)
        missing = _missing_folders(target)
        folder = missing[-1].parent if missing else target.parent
        _check_names(folder, target)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:
        raise _cannot_write(path, error) from error


def write_atomic(path: str | os.PathLike[str], data: bytes, *, force: bool = False) -> None:
    """Write a whole file, or leave everything as it was.

    The bytes go to a temporary file in the same folder, are flushed to the disk, and then take the
    target's name in one step, which fails if somebody else was faster. A symbolic link is followed,
    not replaced, and a file that is replaced hands on its permissions.

    Args:
        path: The file to write; missing parent folders are made.
        data: All of its bytes.
        force: Whether a file that exists already may be replaced.

    Raises:
        OutputError: The file exists already, is not a file, or cannot be written.
    """
    try:
        target = Path(os.path.realpath(path))
        mode = _mode_of(target, force=force)
        with _folders(target):
            _sweep(target.parent)
            _write(target, data, mode, force=force)
    except (OSError, ValueError) as error:
        raise _cannot_write(path, error) from error


def _mode_of(target: Path, *, force: bool) -> int | None:
    """Return the permissions of a file that may be replaced, or None where there is none.

    Raises:
        OutputError: Something that must stay is in the way.
    """
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        raise OutputError(f"cannot write {target}: it is not a file; choose another name.")
    if not force:
        raise _exists(target)
    return stat.S_IMODE(mode)


def _missing_folders(target: Path) -> list[Path]:
    """Return the folders that a path needs and that are missing, the innermost first."""
    return [parent for parent in target.parents if not parent.exists()]


def _check_names(folder: Path, target: Path) -> None:
    """Raise an OSError if a name below a folder is longer than its file system allows."""
    for part in target.relative_to(folder).parts:
        with suppress(FileNotFoundError):
            (folder / part).lstat()


@contextmanager
def _folders(target: Path) -> Iterator[None]:
    """Make the folders that a path needs, and take them away again if the block fails."""
    made = _missing_folders(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for folder in made:
            with suppress(OSError):
                folder.rmdir()
        raise


def _sweep(folder: Path) -> None:
    """Delete what writers left behind that were killed; what cannot be deleted stays."""
    with suppress(OSError):
        for part in [each for each in folder.iterdir() if _PART.fullmatch(each.name)]:
            with suppress(OSError):
                _delete_abandoned(part)


def _delete_abandoned(part: Path) -> None:
    """Delete an unfinished file, unless somebody is writing it."""
    if sys.platform == "win32":
        if time.time() - part.stat().st_mtime > _STALE:
            part.unlink()
        return
    with part.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails where its writer holds it
        part.unlink()


@contextmanager
def _unfinished(folder: Path) -> Iterator[Path]:
    """Make an unfinished file and hold it for the length of a block; afterwards it is gone."""
    while True:
        part = folder / f".{secrets.token_hex(8)}.part"
        with part.open("xb") as held:
            if sys.platform != "win32":
                with suppress(OSError):  # a file system that knows no locks
                    fcntl.flock(held, fcntl.LOCK_EX)
            else:
                held.close()  # what is open there can take no other name
            if part.exists():  # nobody took it for abandoned before it was held
                try:
                    yield part
                finally:
                    part.unlink(missing_ok=True)
                return


def _write(target: Path, data: bytes, mode: int | None, *, force: bool) -> None:
    """Give the bytes the target's name in one step."""
    with _unfinished(target.parent) as part:
        with part.open("r+b") as file:
            if mode is not None:
                part.chmod(mode)  # before there is anything to read
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if force:
            part.replace(target)
        else:
            _take_name(part, target)
        _flush(target.parent)


def _take_name(part: Path, target: Path) -> None:
    """Give a file a name that nobody has; of two who try, one fails."""
    try:
        try:
            os.link(part, target)
        except FileExistsError:
            raise
        except OSError:  # a file system without links: the name is taken first, then the file put
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
            part.replace(target)
    except FileExistsError as error:
        raise _exists(target) from error


def _flush(folder: Path) -> None:
    """Put a folder's names on the disk, on systems that can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _exists(target: Path) -> OutputError:
    """Return the error for a name that is taken."""
    return OutputError(
        f"{target} exists already; choose another name, or replace it with --force "
        "(force=True from Python)."
    )


def _cannot_write(path: str | os.PathLike[str], error: OSError | ValueError) -> OutputError:
    """Return the OutputError for what the operating system said."""
    reason = str(getattr(error, "strerror", None) or error)
    return OutputError(
        f"cannot write {quoted(os.fspath(path))}: {reason[:1].lower()}{reason[1:]}; "
        "choose another place."
    )
