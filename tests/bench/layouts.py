"""Tiny folders in the exact layouts of the benchmarks: drawn pictures, true files around them."""

import json
import tarfile
import zipfile
from collections.abc import Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

SIDE = 512

EDITEVAL = (
    ("Object Addition", "source prompt", "target prompt", "instruction"),
    ("", "a dog", "a dog and a ball", "add a ball"),
    ("", "a cup", "a cup & a spoon", "add a spoon"),
    ("Object Removal", "a man with a hat", "a man", "remove the hat"),
)
"""Rows of EditEval: two sections."""


def picture(path: Path, size: tuple[int, int] = (32, 32), kind: str = "PNG") -> Path:
    """Draw a picture whose content need not be what its name ends in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shade = len(path.name) * 7 % 200
    with path.open("wb") as file:
        Image.linear_gradient("L").resize(size).convert("RGB").point(
            lambda level: min(255, level + shade)
        ).save(file, kind)
    return path


def tedbench(folder: Path) -> Path:
    """Make TEdBench: a JPEG named .png, a transparent PNG, two targets of one photo."""
    picture(folder / "originals" / "bird.png", kind="JPEG")
    (folder / "originals" / "cat.png").write_bytes(b"")
    Image.new("RGBA", (32, 40), (200, 30, 30, 128)).save(folder / "originals" / "cat.png")
    rows = [
        {"img_name": "bird.png", "target_text": "A photo of a bird spreading its wings."},
        {"img_name": "bird.png", "target_text": "A photo of a tree. Taken in autumn."},
        {"img_name": "cat.png", "target_text": "A cat wearing a hat."},
    ]
    (folder / "input_list.json").write_text(json.dumps(rows))
    return folder


def tedbench_plus(folder: Path) -> Path:
    """Make TEdBench++, with a column that nobody reads."""
    picture(folder / "originals" / "dog.jpeg", kind="JPEG")
    (folder / "tedbench++.csv").write_text(
        'img_name,target_text,seed\ndog.jpeg,"A dog, asleep.",1\n', encoding="utf-8"
    )
    return folder


def pie_row(name: str, kind: str = "2", mask: Sequence[int] = (0, 512)) -> dict[str, Any]:
    """Return a row of PIE-Bench."""
    return {
        "image_path": f"2_add_object_80/{name}.jpg",
        "original_prompt": "a [round] cat on a mat",
        "editing_prompt": "a [square] cat on a mat",
        "editing_instruction": "make the cat square",
        "editing_type_id": kind,
        "blended_word": "cat cat",
        "mask": [*mask],
    }


def pie(folder: Path, **rows: dict[str, Any]) -> Path:
    """Make PIE-Bench: a picture for each row, of the size that all of them have."""
    for row in rows.values():
        picture(folder / "annotation_images" / row["image_path"], (SIDE, SIDE), "JPEG")
    folder.mkdir(exist_ok=True)
    (folder / "mapping_file.json").write_text(json.dumps(rows))
    return folder


def uniedit(folder: Path) -> Path:
    """Make UniEditBench: a picture, and a video that is none of ours."""
    picture(folder / "images" / "add" / "animal" / "001.png")
    row = {
        "id": "0000",
        "path": "./UniEditBench/images/add/animal/001.png",
        "width": 32,
        "height": 32,
        "source_prompt": "A lion stands in grass.",
        "target_prompt": "A lion and a zebra stand in grass.",
        "edited_prompt": "add a zebra next to the lion",
        "edit_type": "add",
    }
    video = {**row, "path": "./UniEditBench/videos/add/animal/001.mp4"}
    (folder / "metadata.json").write_text(json.dumps([row, video]))
    return folder


def imgedit(folder: Path) -> Path:
    """Make ImgEdit-Bench Basic: one edit by caption, and one that captions cannot say."""
    picture(folder / "singleturn" / "animal" / "1.jpg", kind="JPEG")
    rows = {
        "1082": {"id": "animal/1.jpg", "prompt": "Add a hat.", "edit_type": "add"},
        "1083": {"id": "animal/1.jpg", "prompt": "Extract the cat.", "edit_type": "extract"},
    }
    (folder / "basic_edit.json").write_text(json.dumps(rows))
    return folder


def own(folder: Path) -> Path:
    """Make anybody's own pictures: of one all is said that can be, of another what must be."""
    for name in ("cat.png", "ideal/cat.png", "dog.png"):
        picture(folder / name)
    (folder / "masks").mkdir()
    mask = Image.new("L", (32, 32))
    mask.paste(255, (0, 0, 16, 32))
    mask.save(folder / "masks" / "cat.png")
    rows = [
        {
            "name": "cat-hat",
            "kind": "add",
            "picture": "cat.png",
            "source": "a cat",
            "target": "a cat with a hat",
            "instruction": "add a hat",
            "mask": "masks/cat.png",
            "ideal": "ideal/cat.png",
            "hats": 1,
        },
        {"name": "dog-old", "picture": "dog.png", "target": "an old dog"},
    ]
    (folder / "items.json").write_text(json.dumps(rows))
    return folder


def listed(folder: Path, *rows: dict[str, Any]) -> Path:
    """Make a folder of instructions: a line for each, with a picture where it names one."""
    for row in rows:
        for key in ("file_name", "source_image"):
            if key in row:
                picture(folder / row[key])
    folder.mkdir(exist_ok=True)
    (folder / "metadata.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return folder


def gedit(folder: Path) -> Path:
    """Make GEdit-Bench: an instruction in two languages, of which one is taken."""
    row = {
        "key": "abc",
        "task_type": "subject-add",
        "instruction": "add a hat",
        "instruction_language": "en",
        "file_name": "pictures/abc.png",
        "Intersection_exist": True,
    }
    return listed(folder, row, {**row, "key": "def", "instruction_language": "cn"})


def gedit2(folder: Path) -> Path:
    """Make GEditBench v2, as its gallery has it."""
    row = {
        "key": "background_change_000000",
        "instruction": "replace the sky",
        "source_image": "images/source/background_change_000000.png",
        "candidates": [],
    }
    return listed(folder, row)


def genarena(folder: Path) -> Path:
    """Make GenArena's subset of edits."""
    row = {"index": 7, "task_type": "edit", "instruction": "add a hat", "file_name": "7.png"}
    return listed(folder, row)


def content() -> dict[str, Any]:
    """Return a picture as `datasets` keeps it in a table."""
    file = BytesIO()
    Image.linear_gradient("L").resize((32, 32)).convert("RGB").save(file, "JPEG")
    return {"bytes": file.getvalue(), "path": None}


NO_PICTURE = ({"bytes": None, "path": "lost.png"}, {"bytes": b"no picture", "path": None})
"""Pictures of a table that are none."""


def packed_gedit(folder: Path, pyarrow: Any) -> Path:
    """Make GEdit-Bench as the Hub has it: Arrow as a saved data set is written, with two bad pictures."""
    row = {
        "key": "abc",
        "task_type": "subject-add",
        "instruction": "add a hat",
        "instruction_language": "en",
        "input_image": content(),
        "input_image_raw": content(),
        "Intersection_exist": True,
    }
    rows = [
        row,
        {**row, "key": "def", "instruction_language": "cn"},
        *({**row, "key": f"bad{n}", "input_image_raw": one} for n, one in enumerate(NO_PICTURE)),
    ]
    folder.mkdir()
    (folder / "state.json").write_text("{}")
    table = pyarrow.Table.from_pylist(rows)
    for number, part in enumerate((table.slice(0, 2), table.slice(2))):
        path = folder / f"data-{number:05d}-of-00002.arrow"
        with path.open("wb") as file, pyarrow.ipc.new_stream(file, table.schema) as stream:
            stream.write_table(part)
    return folder


def packed_gedit2(folder: Path, pyarrow: Any) -> Path:
    """Make GEditBench v2 as the Hub has it, with two bad pictures."""
    row = {"key": "a_000000", "task": "a", "instruction": "do", "source_image": content()}
    bad = ({**row, "key": f"bad{n}", "source_image": one} for n, one in enumerate(NO_PICTURE))
    return _parquet(folder / "data" / "train-00000-of-00001.parquet", [row, *bad], pyarrow)


def packed_genarena(folder: Path, pyarrow: Any) -> Path:
    """Make GenArena's subset of edits as the Hub has it, with two bad pictures."""
    row = {"index": 7, "task_type": "edit", "instruction": "add", "input_images": [content()]}
    bad = ({**row, "index": n, "input_images": [one]} for n, one in enumerate(NO_PICTURE))
    return _parquet(folder / "basic" / "data-00000.parquet", [row, *bad], pyarrow)


def _parquet(path: Path, rows: Sequence[dict[str, Any]], pyarrow: Any) -> Path:
    """Write a parquet file, and return the folder of the set."""
    from pyarrow import parquet  # noqa: PLC0415  of an extra

    path.parent.mkdir(parents=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path.parent.parent


def packed_imgedit(folder: Path) -> Path:
    """Make ImgEdit-Bench as the Hub has it, beside files of which one would leave the folder."""
    imgedit(folder / "unpacked")
    (folder / "packed").mkdir()
    top = "Benchmark/singleturn"
    with tarfile.open(folder / "packed" / "Benchmark.tar", "w") as archive:
        archive.add(folder / "unpacked" / "basic_edit.json", f"{top}/singleturn.json")
        archive.add(folder / "unpacked" / "singleturn", top)
        archive.add(folder / "unpacked" / "basic_edit.json", f"{top}/../../escaped.json")
        archive.add(folder / "unpacked" / "basic_edit.json", "Benchmark/hard/hard.json")
    return folder / "packed"


def editeval(folder: Path, rows: Sequence[Sequence[str]]) -> Path:
    """Make EditEval with the rows of its spreadsheet."""
    picture(folder / "Dataset" / "object_addition" / "1.jpg", kind="JPEG")
    picture(folder / "Dataset" / "object_addition" / "2.jpeg", kind="JPEG")
    picture(folder / "Dataset" / "object_removel" / "1.jpg", kind="JPEG")
    spreadsheet(folder / "editing_prompts_collection.xlsx", rows)
    return folder


def spreadsheet(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    """Write an .xlsx file as spreadsheets do: texts apart, empty cells left out."""
    texts = sorted({text for row in rows for text in row if text})
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    shared = "".join(f"<si><t>{escape(text)}</t></si>" for text in texts)
    lines = "".join(
        f'<row r="{line}">'
        + "".join(
            f'<c r="{"ABCD"[column]}{line}" t="s"><v>{texts.index(text)}</v></c>'
            for column, text in enumerate(row)
            if text
        )
        + "</row>"
        for line, row in enumerate(rows, start=1)
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/sharedStrings.xml", f"<sst {space}>{shared}</sst>")
        archive.writestr(
            "xl/worksheets/sheet1.xml",
            f"<worksheet {space}><sheetData>{lines}</sheetData></worksheet>",
        )
    return path
