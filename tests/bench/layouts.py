"""Tiny folders in the exact layouts of the benchmarks: drawn pictures, true files around them."""

import json
import zipfile
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

SIDE = 512


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
