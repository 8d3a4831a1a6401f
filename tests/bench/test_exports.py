"""What holds for every export: pictures and lists are where the authors' own tools look for them."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from imagic_lora.bench.exports import export
from imagic_lora.bench.items import Loaded
from imagic_lora.bench.made import Made, of_folder
from imagic_lora.bench.suites import instructions, uniedit
from tests.bench import layouts

ROWS = ("imagic_lora, auto", "unchanged")


@pytest.fixture
def exported(tmp_path: Path) -> Callable[..., tuple[Path, list[Made]]]:
    """Give a function that exports a set's pictures, of another size than the inputs, of two rows."""

    def of(name: str, loaded: Loaded) -> tuple[Path, list[Made]]:
        edited = layouts.picture(tmp_path / "edited.png", (64, 64))
        made = [Made(row, item, edited) for row in ROWS for item in loaded.items]
        export(name, made, tmp_path / "exports")
        return tmp_path / "exports", made

    return of


def test_the_judge_of_uniedit_bench_is_given_both_pictures(
    exported: Callable[..., tuple[Path, list[Made]]], tmp_path: Path
) -> None:
    """Its list has the captions and the row too, and the edited picture has the input's size."""
    folder, _ = exported("uniedit", uniedit.load(layouts.uniedit(tmp_path / "data")))

    (row,) = json.loads((folder / "unchanged" / "metadata.json").read_text())
    with Image.open(row["path"]) as before, Image.open(row["edit_path"]) as after:
        assert before.size == after.size == (row["width"], row["height"])
    assert ("unchanged", "add a zebra next to the lion") == (
        row["edit_model"],
        row["edited_prompt"],
    )


def test_gedit_bench_has_a_list_for_evalscope(
    exported: Callable[..., tuple[Path, list[Made]]], tmp_path: Path
) -> None:
    """It names each picture by key, wherever the tool runs; the official tree is beside it."""
    folder, _ = exported("gedit", instructions.load_gedit(layouts.gedit(tmp_path / "data")))

    own = folder / "imagic_lora-auto"
    (line,) = (own / "pictures.jsonl").read_text().splitlines()
    row = json.loads(line)
    expected = own / "fullset" / "subject-add" / "en" / "abc.png"
    assert {"id": "abc", "image_path": str(expected.resolve())} == row
    assert expected.is_file()


def test_gedit_bench_v2_has_a_gallery(
    exported: Callable[..., tuple[Path, list[Made]]], tmp_path: Path
) -> None:
    """An item is a line with a candidate of each row, and every path in it is there."""
    folder, _ = exported("gedit2", instructions.load_gedit_v2(layouts.gedit2(tmp_path / "data")))

    (line,) = (folder / "metadata.jsonl").read_text().splitlines()
    row = json.loads(line)
    assert ("background_change_000000", "replace the sky") == (row["key"], row["instruction"])
    assert ["imagic_lora-auto", "unchanged"] == [one["model"] for one in row["candidates"]]
    for place in (row["source_image"], *(one["image"] for one in row["candidates"])):
        assert (folder / place).is_file()


def test_genarena_has_a_dated_experiment_for_each_row(
    exported: Callable[..., tuple[Path, list[Made]]], tmp_path: Path
) -> None:
    """Its pictures are named by index; exported again, they replace those of the first day."""
    folder, made = exported(
        "genarena", instructions.load_genarena(layouts.genarena(tmp_path / "d"))
    )

    first, second = sorted((folder / "basic" / "models").iterdir())
    assert re.fullmatch(r"imagic-lora_imagic_lora-auto_\d{8}", first.name)
    assert (first / "imagic_lora-auto" / "000007.png").is_file()
    old = second.with_name("imagic-lora_unchanged_20200101")
    second.rename(old)
    export("genarena", made, folder)
    assert [first, old] == sorted((folder / "basic" / "models").iterdir())
    assert 1 == len(of_folder("ours", old / "unchanged", [made[0].item]))
