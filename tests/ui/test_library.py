import io
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from PIL import Image

from benchmarks.faults.hostile import damaged, rewritten
from imagic_lora import (
    Adapter,
    AdapterError,
    AdapterFileError,
    AdapterMismatchError,
    ImagicEditor,
    OutputError,
)
from imagic_lora.ui.library import Library
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
    "con",
    "Nul.txt",
    "LPT1",
    "ends in a dot.",
)


@pytest.fixture
def library(tmp_path: Path, editor: Callable[[Kind], ImagicEditor]) -> Library:
    """Give an empty library for a tiny model."""
    return Library(tmp_path / "adapters", tmp_path / "drawings", editor("sd1").check)


def test_what_is_kept_is_found(library: Library, adapter: Fitted) -> None:
    """An adapter that was kept is listed with all that is shown of it, and loads as it was."""
    name = library.keep(adapter("sd1"), "a cat")
    (entry,) = library.entries()

    assert ("a-cat", "a-cat") == (name, entry.name)
    assert adapter("sd1").record == entry.record
    assert adapter("sd1").sha256 == entry.sha256
    assert entry.thumbnail is not None
    assert adapter("sd1") == library.load(name)
    assert "" == entry.mismatch


def test_a_folder_that_is_not_there_is_empty(library: Library) -> None:
    """Nothing is made before there is something to keep."""
    assert [] == library.entries()
    assert not library.folder.exists()


def test_nothing_is_replaced(library: Library, adapter: Fitted) -> None:
    """A second adapter of the same wish gets a name of its own."""
    names = [library.keep(adapter("sd1"), "a cat") for _ in range(3)]

    assert ["a-cat", "a-cat-2", "a-cat-3"] == names


@pytest.mark.parametrize(
    "wish", ["<script>alert(1)</script>", "../../etc/passwd", "a\nb", "...", ""]
)
def test_any_wish_becomes_a_plain_name(wish: str, library: Library, adapter: Fitted) -> None:
    """A prompt may hold anything; the file's name holds nothing that means something elsewhere."""
    name = library.keep(adapter("sd1"), wish)

    assert name.replace("-", "").isalnum()
    assert [library.folder / f"{name}.safetensors"] == list(library.folder.iterdir())


@pytest.mark.parametrize("wish", NOT_PLAIN)
def test_a_name_is_never_a_path(wish: str, library: Library, adapter: Fitted) -> None:
    """Nothing is renamed to where it does not belong."""
    name = library.keep(adapter("sd1"), "a cat")

    with pytest.raises(OutputError):
        library.rename(name, wish)
    assert [name] == [entry.name for entry in library.entries()]


@pytest.mark.parametrize("name", [*NOT_PLAIN, "unknown"])
def test_only_what_is_listed_is_touched(name: str, library: Library, tmp_path: Path) -> None:
    """Loading, copying and deleting know the names of the list, and no others."""
    (tmp_path / "out.safetensors").write_bytes(b"mine")

    for touch in (
        library.load,
        library.delete,
        lambda name: library.copy(name, tmp_path / "copies"),
    ):
        with pytest.raises(AdapterError):
            touch(name)
    assert b"mine" == (tmp_path / "out.safetensors").read_bytes()


def test_renaming_replaces_nothing(library: Library, adapter: Fitted) -> None:
    """A name that is taken stays with who has it."""
    first, second = (library.keep(adapter("sd1"), wish) for wish in ("a cat", "a dog"))

    with pytest.raises(OutputError, match="already"):
        library.rename(first, second)
    assert "Mia, at home" == library.rename(first, " Mia, at home ")
    assert {"Mia, at home", "a-dog"} == {entry.name for entry in library.entries()}


def test_names_are_those_of_every_disk(library: Library, adapter: Fitted) -> None:
    """No name is a device of Windows, has its ending twice, or differs in capitals alone."""
    first, second = (library.keep(adapter("sd1"), wish) for wish in ("con", "Mia"))
    assert ("con-adapter", "Mia") == (first, second)
    assert "mia-2" == library.keep(adapter("sd1"), "mia")

    with pytest.raises(OutputError, match="already"):
        library.rename(first, "MIA")
    assert "MIA" == library.rename(second, "MIA.safetensors")


def test_what_is_deleted_is_gone(library: Library, adapter: Fitted) -> None:
    """A deleted adapter is neither listed nor there."""
    library.delete(library.keep(adapter("sd1"), "a cat"))

    assert [] == library.entries()
    assert [] == list(library.folder.iterdir())


def test_links_are_not_followed(library: Library, adapter: Fitted, tmp_path: Path) -> None:
    """A link in the folder does not bring in what lies elsewhere."""
    adapter("sd1").save(tmp_path / "elsewhere.safetensors")
    library.folder.mkdir()
    (library.folder / "link.safetensors").symlink_to(tmp_path / "elsewhere.safetensors")

    assert [] == library.entries()


@pytest.mark.parametrize("content", [b"", b"x" * 40, b"\x80\x02cposix\nsystem\n(S'true'\ntR."])
def test_a_file_that_is_no_adapter_is_refused(
    content: bytes, library: Library, tmp_path: Path
) -> None:
    """What is brought is checked before it is taken in, and refused in words that name no folder."""
    file = tmp_path / "pickle.safetensors"
    file.write_bytes(content)

    with pytest.raises(AdapterFileError, match=r"pickle\.safetensors") as caught:
        library.accept(file)
    assert str(tmp_path) not in str(caught.value)
    assert [] == library.entries()


def test_an_adapter_of_another_model_is_refused_with_the_reason(
    library: Library, adapter: Fitted, tmp_path: Path
) -> None:
    """The refusal names both models, and nothing is taken in."""
    adapter("sd2").save(tmp_path / "other.safetensors")

    with pytest.raises(AdapterMismatchError, match=r"tiny-sd2.*tiny-sd1"):
        library.accept(tmp_path / "other.safetensors")
    assert [] == library.entries()


def test_the_same_adapter_is_one(library: Library, adapter: Fitted, tmp_path: Path) -> None:
    """What is brought ten times, under whatever names, is here once."""
    for number in range(3):
        adapter("sd1").save(tmp_path / f"{number}.safetensors")
        assert "0" == library.accept(tmp_path / f"{number}.safetensors")

    assert ["0"] == [entry.name for entry in library.entries()]


def test_a_foreign_or_damaged_file_in_the_folder_spoils_nothing(
    library: Library, adapter: Fitted
) -> None:
    """The folder may hold anything: what cannot be used is listed apart, each with why."""
    library.keep(adapter("sd1"), "a cat")
    adapter("sd2").save(library.folder / "other.safetensors")
    (library.folder / "damaged.safetensors").write_bytes(b"x" * 40)
    (library.folder / "notes.txt").write_text("mine")

    found = {entry.name: entry.mismatch for entry in library.entries()}

    assert {"a-cat", "other"} == found.keys()
    assert "tiny-sd2" in found["other"]
    assert ["damaged"] == list(library.unreadable())


@pytest.mark.parametrize("error", [OverflowError, UnicodeEncodeError, MemoryError, KeyError])
def test_one_file_never_hides_the_others(
    error: type[Exception], library: Library, adapter: Fitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong with a file, the others are listed, and it is named with a reason."""
    library.keep(adapter("sd1"), "a cat")
    (library.folder / "bad.safetensors").write_bytes(b"x" * 40)
    load = Adapter.load

    def failing(path: Path) -> Adapter:
        if path.stem == "bad":
            raise error.__new__(error)
        return load(path)

    monkeypatch.setattr(Adapter, "load", failing)

    assert ["a-cat"] == [entry.name for entry in library.entries()]
    assert error.__name__ in library.unreadable()["bad"]


def test_a_changed_file_is_read_anew(library: Library, adapter: Fitted) -> None:
    """What another program puts in a file's place is seen at the next look."""
    name = library.keep(adapter("sd1"), "a cat")
    library.entries()
    path = library.folder / f"{name}.safetensors"
    path.write_bytes(b"x" * 40)
    os.utime(path, (1, 1))

    assert ([], [name]) == (library.entries(), list(library.unreadable()))


def test_a_large_thumbnail_is_not_drawn(library: Library, adapter: Fitted) -> None:
    """A thumbnail of a few kB may have millions of pixels; nobody waits for it to be drawn."""
    buffer = io.BytesIO()
    Image.new("RGB", (2000, 2000)).save(buffer, "JPEG")
    library.keep(replace(adapter("sd1"), thumbnail=buffer.getvalue()), "a cat")

    (entry,) = library.entries()
    assert entry.thumbnail is None


def test_a_hostile_thumbnail_is_never_served(library: Library, adapter: Fitted) -> None:
    """Only what decodes as a picture is drawn, and it is drawn anew."""
    page = b"\xff\xd8\xff<script>alert(1)</script>"
    library.keep(replace(adapter("sd1"), thumbnail=page), "a cat")
    (entry,) = library.entries()

    assert entry.thumbnail is None


def test_no_file_hides_the_others(library: Library, adapter: Fitted) -> None:
    """Whatever lies beside it, a good adapter is there; what cannot be used is named."""
    random, sound = Random(0), adapter("sd1").to_bytes()  # noqa: S311  no secrets
    name = library.keep(adapter("sd1"), "a cat")
    for number in range(40):
        hostile = rewritten(sound, random)[1] if number % 3 else damaged(sound, random)
        (library.folder / f"hostile-{number}.safetensors").write_bytes(hostile)

    names = [entry.name for entry in library.entries()]

    assert name in names
    assert 41 == len(names) + len(library.unreadable())


def test_an_adapter_is_found_by_its_hash(library: Library, adapter: Fitted) -> None:
    """A picture names its adapter by hash, whatever the file is called by now."""
    name = library.rename(library.keep(adapter("sd1"), "a cat"), "Mia")
    found = library.find_hash(adapter("sd1").sha256)

    assert found is not None
    assert name == found.name
    assert library.find_hash("0" * 64) is None
