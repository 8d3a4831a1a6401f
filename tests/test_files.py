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
@pytest.mark.parametrize(("owner", "call"), [(os, "fsync"), (Path, "replace"), (Path, "chmod")])
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
    (tmp_path / "a").write_bytes(b"old")
    seen: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def flushed(descriptor: int) -> None:
        found = os.fstat(descriptor)
        seen.append("folder" if stat.S_ISDIR(found.st_mode) else f"{found.st_size} bytes")
        fsync(descriptor)

    def replaced(self: Path, target: Path) -> Path:
        seen.append(f"replaced by {self.stat().st_size} bytes")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "replace", replaced)
    write_atomic(tmp_path / "a", b"new", force=True)

    assert ["3 bytes", "replaced by 3 bytes", "folder"] == seen


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


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_a_file_that_is_replaced_hands_on_its_permissions(tmp_path: Path, mode: int) -> None:
    """What was private stays private: an adapter holds a picture."""
    (tmp_path / "a").touch()
    (tmp_path / "a").chmod(mode)

    write_atomic(tmp_path / "a", b"new", force=True)

    assert (mode, b"new") == (_mode(tmp_path / "a"), (tmp_path / "a").read_bytes())


@pytest.mark.parametrize("links", [True, False])
def test_of_two_savers_one_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, links: bool
) -> None:
    """A file that appears after the check is not replaced, on file systems without links too."""

    def overtaken(descriptor: int) -> None:
        if not (tmp_path / "a").exists():
            (tmp_path / "a").write_bytes(b"faster")
        fsync(descriptor)

    def unknown(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", overtaken)
    if not links:
        monkeypatch.setattr(os, "link", unknown)

    with pytest.raises(OutputError, match="exists already"):
        write_atomic(tmp_path / "a", b"new")

    assert [(tmp_path / "a", b"faster")] == [
        (path, path.read_bytes()) for path in tmp_path.iterdir()
    ]


def test_a_file_system_without_links_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory cards and network folders have none."""

    def unknown(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", unknown)

    write_atomic(tmp_path / "a", b"new")

    assert [(tmp_path / "a", b"new")] == [(path, path.read_bytes()) for path in tmp_path.iterdir()]


def test_what_a_killed_writer_left_is_cleaned_up(tmp_path: Path) -> None:
    """The next save deletes it; a file of another name stays."""
    names = [f".{'0' * 16}.part", "mine.part", ".0.part"]
    for name in names:
        (tmp_path / name).write_bytes(b"half")
        os.utime(tmp_path / name, (0, 0))

    write_atomic(tmp_path / "a", b"new")

    assert {"a", *names[1:]} == {path.name for path in tmp_path.iterdir()}


def test_what_is_being_written_is_not_taken_for_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A save in the middle of another one, however old that is, leaves it alone."""
    fsync = os.fsync

    def meanwhile(descriptor: int) -> None:
        monkeypatch.setattr(os, "fsync", fsync)
        for part in tmp_path.iterdir():
            os.utime(part, (0, 0))
        write_atomic(tmp_path / "b", b"other")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", meanwhile)

    write_atomic(tmp_path / "a", b"new")

    found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {"a": b"new", "b": b"other"} == found


def test_a_failure_takes_its_folders_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk leaves nothing behind, and folders that were there stay."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(OutputError, match="no space left on device"):
        write_atomic(tmp_path / "one" / "two" / "a", b"new")

    assert tmp_path.is_dir()
    assert [] == list(tmp_path.iterdir())


@EACH_CALL
def test_a_working_folder_that_vanished_is_an_output_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Any
) -> None:
    """Nothing can be written beside what is not there."""
    (tmp_path / "gone").mkdir()
    with monkeypatch.context() as patch:
        patch.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()

        with pytest.raises(OutputError, match="no such file or directory"):
            call(Path("a"))


@EACH_CALL
def test_a_name_too_long_is_found_below_folders_that_are_missing(tmp_path: Path, call: Any) -> None:
    """It would fail in the end, so it fails in the beginning, in a short sentence."""
    with pytest.raises(OutputError, match="file name too long") as caught:
        call(tmp_path / "missing" / ("x" * 256) / "a")

    assert [] == list(tmp_path.iterdir())
    assert 200 > len(str(caught.value))


@pytest.mark.parametrize("name", ["x" * 255, "花" * 85])
def test_the_longest_name_can_be_written(tmp_path: Path, name: str) -> None:
    """What is written at first has a short name of its own."""
    write_atomic(tmp_path / name, b"new")

    assert [name] == [path.name for path in tmp_path.iterdir()]


def _mode(path: Path) -> int:
    """Return a file's permission bits."""
    return stat.S_IMODE(path.stat().st_mode)
