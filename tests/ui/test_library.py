import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from imagic_lora import (
    Adapter,
    AdapterError,
    AdapterFileError,
    AdapterMismatchError,
    ImagicEditor,
    OutputError,
)
from imagic_lora.ui.library import Shelf
from tests.support.tiny import Kind

Fitted = Callable[[Kind], Adapter]
NOT_PLAIN = (
    "../out",
    "a/b",
    "..",
    ".hidden",
    "",
    " ",
    "a\\b",
    "x" * 81,
    "<b>x</b>",
    "a\x00b",
    "CON:",
)


@pytest.fixture
def shelf(tmp_path: Path, editor: Callable[[Kind], ImagicEditor]) -> Shelf:
    """Give an empty shelf for a tiny model."""
    return Shelf(tmp_path / "adapters", tmp_path / "drawings", editor("sd1").check)


def test_what_is_kept_is_found(shelf: Shelf, adapter: Fitted) -> None:
    """An adapter that was kept is listed with all that is shown of it, and loads as it was."""
    name = shelf.keep(adapter("sd1"), "a cat")
    (entry,) = shelf.entries()

    assert ("a-cat", "a-cat") == (name, entry.name)
    assert adapter("sd1").record == entry.record
    assert adapter("sd1").sha256 == entry.sha256
    assert entry.thumbnail is not None
    assert adapter("sd1") == shelf.load(name)
    assert "" == entry.mismatch


def test_a_folder_that_is_not_there_is_empty(shelf: Shelf) -> None:
    """Nothing is made before there is something to keep."""
    assert [] == shelf.entries()
    assert not shelf.folder.exists()


def test_nothing_is_replaced(shelf: Shelf, adapter: Fitted) -> None:
    """A second adapter of the same wish gets a name of its own."""
    names = [shelf.keep(adapter("sd1"), "a cat") for _ in range(3)]

    assert ["a-cat", "a-cat-2", "a-cat-3"] == names


@pytest.mark.parametrize(
    "wish", ["<script>alert(1)</script>", "../../etc/passwd", "a\nb", "...", ""]
)
def test_any_wish_becomes_a_plain_name(wish: str, shelf: Shelf, adapter: Fitted) -> None:
    """A prompt may hold anything; the file's name holds nothing that means something elsewhere."""
    name = shelf.keep(adapter("sd1"), wish)

    assert name.replace("-", "").isalnum()
    assert [shelf.folder / f"{name}.safetensors"] == list(shelf.folder.iterdir())


@pytest.mark.parametrize("wish", NOT_PLAIN)
def test_a_name_is_never_a_path(wish: str, shelf: Shelf, adapter: Fitted) -> None:
    """Nothing is renamed to where it does not belong."""
    name = shelf.keep(adapter("sd1"), "a cat")

    with pytest.raises(OutputError):
        shelf.rename(name, wish)
    assert [name] == [entry.name for entry in shelf.entries()]


@pytest.mark.parametrize("name", [*NOT_PLAIN, "unknown"])
def test_only_what_is_listed_is_touched(name: str, shelf: Shelf, tmp_path: Path) -> None:
    """Loading, copying and deleting know the names of the list, and no others."""
    (tmp_path / "out.safetensors").write_bytes(b"mine")

    for touch in (shelf.load, shelf.delete, lambda name: shelf.copy(name, tmp_path / "copies")):
        with pytest.raises(AdapterError):
            touch(name)
    assert b"mine" == (tmp_path / "out.safetensors").read_bytes()


def test_renaming_replaces_nothing(shelf: Shelf, adapter: Fitted) -> None:
    """A name that is taken stays with who has it."""
    first, second = (shelf.keep(adapter("sd1"), wish) for wish in ("a cat", "a dog"))

    with pytest.raises(OutputError, match="already"):
        shelf.rename(first, second)
    assert "Mia, at home" == shelf.rename(first, " Mia, at home ")
    assert {"Mia, at home", "a-dog"} == {entry.name for entry in shelf.entries()}


def test_what_is_deleted_is_gone(shelf: Shelf, adapter: Fitted) -> None:
    """A deleted adapter is neither listed nor there."""
    shelf.delete(shelf.keep(adapter("sd1"), "a cat"))

    assert [] == shelf.entries()
    assert [] == list(shelf.folder.iterdir())


def test_links_are_not_followed(shelf: Shelf, adapter: Fitted, tmp_path: Path) -> None:
    """A link in the folder does not bring in what lies elsewhere."""
    adapter("sd1").save(tmp_path / "elsewhere.safetensors")
    shelf.folder.mkdir()
    (shelf.folder / "link.safetensors").symlink_to(tmp_path / "elsewhere.safetensors")

    assert [] == shelf.entries()


@pytest.mark.parametrize("content", [b"", b"x" * 40, b"\x80\x02cposix\nsystem\n(S'true'\ntR."])
def test_a_file_that_is_no_adapter_is_refused(content: bytes, shelf: Shelf, tmp_path: Path) -> None:
    """What is brought is checked before it is taken in, and refused in words that name no folder."""
    file = tmp_path / "pickle.safetensors"
    file.write_bytes(content)

    with pytest.raises(AdapterFileError, match=r"pickle\.safetensors") as caught:
        shelf.accept(file)
    assert str(tmp_path) not in str(caught.value)
    assert [] == shelf.entries()


def test_an_adapter_of_another_model_is_refused_with_the_reason(
    shelf: Shelf, adapter: Fitted, tmp_path: Path
) -> None:
    """The refusal names both models, and nothing is taken in."""
    adapter("sd2").save(tmp_path / "other.safetensors")

    with pytest.raises(AdapterMismatchError, match=r"tiny-sd2.*tiny-sd1"):
        shelf.accept(tmp_path / "other.safetensors")
    assert [] == shelf.entries()


def test_a_foreign_or_damaged_file_in_the_folder_spoils_nothing(
    shelf: Shelf, adapter: Fitted
) -> None:
    """The folder may hold anything: what cannot be used is listed apart, each with why."""
    shelf.keep(adapter("sd1"), "a cat")
    adapter("sd2").save(shelf.folder / "other.safetensors")
    (shelf.folder / "damaged.safetensors").write_bytes(b"x" * 40)
    (shelf.folder / "notes.txt").write_text("mine")

    found = {entry.name: entry.mismatch for entry in shelf.entries()}

    assert {"a-cat", "other"} == found.keys()
    assert "tiny-sd2" in found["other"]
    assert ["damaged"] == list(shelf.unreadable())


def test_a_changed_file_is_read_anew(shelf: Shelf, adapter: Fitted) -> None:
    """What another program puts in a file's place is seen at the next look."""
    name = shelf.keep(adapter("sd1"), "a cat")
    shelf.entries()
    path = shelf.folder / f"{name}.safetensors"
    path.write_bytes(b"x" * 40)
    os.utime(path, (1, 1))

    assert ([], [name]) == (shelf.entries(), list(shelf.unreadable()))


def test_a_hostile_thumbnail_is_never_served(shelf: Shelf, adapter: Fitted) -> None:
    """Only what decodes as a picture is drawn, and it is drawn anew."""
    page = b"\xff\xd8\xff<script>alert(1)</script>"
    shelf.keep(replace(adapter("sd1"), thumbnail=page), "a cat")
    (entry,) = shelf.entries()

    assert entry.thumbnail is None


def test_an_adapter_is_found_by_its_hash(shelf: Shelf, adapter: Fitted) -> None:
    """A picture names its adapter by hash, whatever the file is called by now."""
    name = shelf.rename(shelf.keep(adapter("sd1"), "a cat"), "Mia")
    found = shelf.find_hash(adapter("sd1").sha256)

    assert found is not None
    assert name == found.name
    assert shelf.find_hash("0" * 64) is None
