from pathlib import Path

import pytest
from PIL import Image

from imagic_lora import Edit, EditSettings, InputError, Labelled, OutputError, save_sheet
from imagic_lora.images.png import read_record
from imagic_lora.images.reading import open_image
from imagic_lora.images.sheet import Cell, sheet


def _edit(color: str, alpha: float) -> Edit:
    """Return a picture of one colour, as an edit."""
    return Edit(
        image=Image.new("RGB", (32, 32), color),
        target="a horse",
        settings=EditSettings(),
        base_model="tiny",
        fingerprint="",
        alpha=alpha,
        adapter_sha256="0" * 64,
    )


RED, BLUE, GREEN = (
    _edit(color, alpha) for alpha, color in enumerate(("red", "blue", "green"), start=1)
)


def test_a_sheet_shows_each_picture_in_its_row(tmp_path: Path) -> None:
    """Pictures of one title stand in one row beneath it, the input before the first of each."""
    white = Image.new("RGB", (32, 32), "white")
    made = [Labelled(RED, "one", "up"), Labelled(BLUE, "two", "up"), Labelled(GREEN, "one", "down")]

    save_sheet(tmp_path / "a.png", made, first=white)

    rows = [
        [Cell(white, "input"), Cell(RED.image, "one"), Cell(BLUE.image, "two")],
        [Cell(white, "input"), Cell(GREEN.image, "one")],
    ]
    expected = sheet(rows, titles=["up", "down"])
    assert expected.tobytes() == open_image(tmp_path / "a.png").tobytes()


def test_without_titles_there_is_one_row(tmp_path: Path) -> None:
    """One prompt over many adapters needs the names beneath alone, and no space above."""
    save_sheet(tmp_path / "a.png", [Labelled(RED, "Ann"), Labelled(BLUE, "Bob")])

    expected = sheet([[Cell(RED.image, "Ann"), Cell(BLUE.image, "Bob")]])
    assert expected.tobytes() == open_image(tmp_path / "a.png").tobytes()


def test_a_sheet_tells_what_made_each_picture(tmp_path: Path) -> None:
    """The records of all pictures are in the file, in their order."""
    save_sheet(tmp_path / "a.png", [Labelled(RED, "one"), Labelled(BLUE, "two")])

    record = read_record(tmp_path / "a.png")
    assert record is not None
    assert ("Sheet", [1, 2]) == (record["kind"], [each["alpha"] for each in record["pictures"]])


def test_a_sheet_needs_a_picture(tmp_path: Path) -> None:
    """A sheet of nothing is refused, and nothing is written."""
    with pytest.raises(InputError, match="at least one picture"):
        save_sheet(tmp_path / "a.png", [])
    assert [] == list(tmp_path.iterdir())


def test_a_sheet_replaces_only_when_told(tmp_path: Path) -> None:
    """A file that exists stays, unless force is given."""
    (tmp_path / "a.png").write_bytes(b"mine")

    with pytest.raises(OutputError, match="exists already"):
        save_sheet(tmp_path / "a.png", [Labelled(RED, "one")])
    assert b"mine" == (tmp_path / "a.png").read_bytes()
    save_sheet(tmp_path / "a.png", [Labelled(RED, "one")], force=True)
    assert b"mine" != (tmp_path / "a.png").read_bytes()
