import os
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest

from imagic_lora.errors import OutputError
from imagic_lora.files import check_writable, write_atomic


def _write(path: Path, *, force: bool = False) -> None:
    """Write something, with the signature of check_writable."""
    write_atomic(path, b"new", force=force)


EACH_CALL = pytest.mark.parametrize("call", [check_writable, _write])


def test_a_new_file_holds_the_bytes(tmp_path: Path) -> None:
    """What was given is what the file holds."""
    write_atomic(tmp_path / "a", b"\x00new")

    assert b"\x00new" == (tmp_path / "a").read_bytes()


def test_missing_folders_are_made_on_writing_only(tmp_path: Path) -> None:
    """The check creates nothing; the writing makes the folders that are missing."""
    target = tmp_path / "one" / "two" / "a"

    check_writable(target)
    assert [] == list(tmp_path.iterdir())

    write_atomic(target, b"new")
    assert b"new" == target.read_bytes()


@EACH_CALL
def test_a_file_that_exists_is_kept(tmp_path: Path, call: Any) -> None:
    """Without force nothing is replaced, and the message names the way to do it."""
    target = tmp_path / "a"
    target.write_bytes(b"old")

    with pytest.raises(OutputError, match=r"exists already.*--force \(force=True"):
        call(target)

    assert b"old" == target.read_bytes()


def test_force_replaces_a_file(tmp_path: Path) -> None:
    """With force the new bytes take the old one's place."""
    target = tmp_path / "a"
    target.write_bytes(b"old")

    check_writable(target, force=True)
    assert b"old" == target.read_bytes()

    write_atomic(target, b"new", force=True)
    assert b"new" == target.read_bytes()


@EACH_CALL
def test_a_folder_is_never_replaced(tmp_path: Path, call: Any) -> None:
    """Force replaces files, not folders."""
    with pytest.raises(OutputError, match="it is not a file"):
        call(tmp_path, force=True)


@EACH_CALL
def test_a_file_is_no_folder(tmp_path: Path, call: Any) -> None:
    """A path below a file cannot be written, and says so."""
    (tmp_path / "file").write_bytes(b"old")

    with pytest.raises(OutputError, match=r"file/a': not a directory; choose another place\.$"):
        call(tmp_path / "file" / "a")


@EACH_CALL
@pytest.mark.parametrize("name", ["x" * 300, "a\0b"], ids=["too long", "null"])
def test_an_impossible_name_is_an_output_error(tmp_path: Path, call: Any, name: str) -> None:
    """What the operating system refuses comes back as one sentence of ours."""
    with pytest.raises(OutputError, match=r"^cannot write .*; choose another place\.$"):
        call(tmp_path / name)


def test_a_folder_that_cannot_be_written_is_found_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check really tries the folder, so a read-only one is found before the heavy work."""

    def refuse(**_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)

    with pytest.raises(OutputError, match=r"a': permission denied; choose another place\.$"):
        check_writable(tmp_path / "a")


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize(("owner", "call"), [(os, "fsync"), (Path, "replace")])
def test_a_failure_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException, owner: Any, call: str
) -> None:
    """When writing fails or is interrupted, the old file is whole and no other is there."""
    target = tmp_path / "a"
    target.write_bytes(b"old")

    def fail(*_: Any) -> None:
        raise failure

    monkeypatch.setattr(owner, call, fail)

    with pytest.raises((OutputError, KeyboardInterrupt)):
        write_atomic(target, b"new", force=True)

    assert [target] == list(tmp_path.iterdir())
    assert b"old" == target.read_bytes()


def test_the_bytes_are_on_the_disk_before_the_old_file_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new file is complete and flushed at the moment when it takes the old one's place."""
    seen: list[tuple[str, int]] = []
    fsync, replace = os.fsync, Path.replace

    def flushed(descriptor: int) -> None:
        seen.append(("flushed", os.fstat(descriptor).st_size))
        fsync(descriptor)

    def replaced(self: Path, target: Path) -> Path:
        seen.append(("replaced", self.stat().st_size))
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "replace", replaced)
    write_atomic(tmp_path / "a", b"new")

    assert [("flushed", 3), ("replaced", 3)] == seen


def test_a_link_is_followed(tmp_path: Path) -> None:
    """Writing through a symbolic link changes what it points to and keeps the link."""
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real")

    write_atomic(tmp_path / "link", b"new", force=True)

    assert (tmp_path / "link").is_symlink()
    assert b"new" == (tmp_path / "real").read_bytes()


def test_a_file_has_the_usual_permissions(tmp_path: Path) -> None:
    """A file is as readable by others as any that the user makes."""
    (tmp_path / "usual").touch()
    write_atomic(tmp_path / "a", b"new")

    assert _mode(tmp_path / "usual") == _mode(tmp_path / "a")


def _mode(path: Path) -> int:
    """Return a file's permission bits."""
    return stat.S_IMODE(path.stat().st_mode)
