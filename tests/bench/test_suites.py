"""What holds for every benchmark: its exact layout is read, and all that is wrong is told at once."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from imagic_lora.bench.items import Loaded
from imagic_lora.bench.masks import Mask
from imagic_lora.bench.suites import editeval, imgedit, instructions, own, pie, tedbench, uniedit
from imagic_lora.errors import InputError
from tests.bench import layouts


def test_tedbench_is_read_by_content_and_keeps_its_names(tmp_path: Path) -> None:
    """A JPEG named .png is read, and of a target only the last dot is no part of a result's name."""
    loaded = tedbench.load(layouts.tedbench(tmp_path))

    assert () == loaded.problems
    bird, tree, cat = loaded.items
    assert "bird.png-A_photo_of_a_bird_spreading_its_wings.png" == bird.result
    assert "bird.png-A_photo_of_a_tree._Taken_in_autumn.png" == tree.result
    assert ("A cat wearing a hat.", None, None) == (cat.target, cat.source, cat.mask)
    assert bird.picture == tree.picture


def test_tedbench_plus_is_read(tmp_path: Path) -> None:
    """Two columns of its table are used, and commas within them are no new columns."""
    (item,) = tedbench.load_plus(layouts.tedbench_plus(tmp_path)).items

    assert ("A dog, asleep.", "dog.jpeg-A_dog,_asleep.png") == (item.target, item.result)


def test_pie_bench_is_read(tmp_path: Path) -> None:
    """Brackets around words that differ are no part of captions; kinds have names."""
    loaded = pie.load(layouts.pie(tmp_path, **{"211000000000": layouts.pie_row("211000000000")}))

    assert () == loaded.problems
    (item,) = loaded.items
    assert ("211000000000", "add object") == (item.name, item.kind)
    assert ("a round cat on a mat", "a square cat on a mat") == (item.source, item.target)
    assert "make the cat square" == item.instruction
    assert "annotation_images/2_add_object_80/211000000000.jpg" == item.result


@pytest.mark.parametrize(
    ("runs", "inside"),
    [
        ((), 0),
        ((2 * 512 + 10, 5), 5),
        ((2 * 512 + 510, 4), 2),  # across the edges of two rows, which belong to every mask
        ((0, 512 * 512), 510 * 510),
        ((511 * 512, 9999), 0),  # past the last pixel
    ],
)
def test_masks_are_runs_with_a_border(runs: tuple[int, ...], inside: int) -> None:
    """Runs count pixels row by row, and the outermost pixels belong to every mask."""
    mask = Mask(runs).decode()

    assert (512, 512) == mask.shape
    assert inside == int(mask[1:-1, 1:-1].sum())
    assert mask[0].all()
    assert mask[-1].all()
    assert mask[:, 0].all()
    assert mask[:, -1].all()


def test_masks_are_as_the_authors_decode_them() -> None:
    """Pixel by pixel, the loop that the authors write gives the same."""
    generator = np.random.default_rng(0)
    runs = [int(v) for pair in generator.integers(0, (512 * 512, 3000), (20, 2)) for v in pair]
    flat = np.zeros(512 * 512)
    for start, length in zip(runs[::2], runs[1::2], strict=True):
        for place in range(start, min(start + length, 512 * 512)):
            flat[place] = 1
    expected = flat.reshape(512, 512)
    expected[0, :] = expected[-1, :] = expected[:, 0] = expected[:, -1] = 1

    assert np.array_equal(expected == 1, Mask(tuple(runs)).decode())


def test_uniedit_bench_is_read(tmp_path: Path) -> None:
    """What its metadata call the edited prompt is the instruction; videos are left out."""
    (item,) = uniedit.load(layouts.uniedit(tmp_path)).items

    assert ("0000", "add", "add/animal/001.png") == (item.name, item.kind, item.result)
    assert "A lion and a zebra stand in grass." == item.target
    assert "add a zebra next to the lion" == item.instruction


def test_imgedit_bench_has_captions_from_a_file(tmp_path: Path) -> None:
    """What captions cannot say is left out; an item without captions is a bad one."""
    loaded = imgedit.load(layouts.imgedit(tmp_path))
    captions = tmp_path / "captions.json"
    captions.write_text(json.dumps({"1082": {"source": "a cat", "target": "a cat with a hat"}}))

    assert ["1082"] == [item.name for item in loaded.items]
    (item,) = loaded.captioned(captions).items
    assert ("a cat", "a cat with a hat", "Add a hat.") == (
        item.source,
        item.target,
        item.instruction,
    )
    captions.write_text("{}")
    assert ("1082: its row was None, expected is an object of fields",) == (
        loaded.captioned(captions).problems
    )


def test_anybodys_own_pictures_are_read(tmp_path: Path) -> None:
    """Little must be said of an item; what else is said of it is there for one's own scorers."""
    loaded = own.load(layouts.own(tmp_path))

    assert () == loaded.problems
    cat, dog = loaded.items
    assert ("cat-hat", "add", "cat-hat.png") == (cat.name, cat.kind, cat.result)
    assert ("a cat", "a cat with a hat", "add a hat") == (cat.source, cat.target, cat.instruction)
    assert tmp_path / "ideal" / "cat.png" == cat.ideal
    assert {"hats": 1} == cat.notes
    assert cat.mask is not None
    assert (16, True) == (int(cat.mask.decode()[5].sum()), bool(cat.mask.decode()[0, 0]))
    assert ("dog-old", "any", None, "") == (dog.name, dog.kind, dog.source, dog.instruction)
    assert (None, None, {}) == (dog.mask, dog.ideal, dog.notes)


def test_editeval_is_read(tmp_path: Path) -> None:
    """A section's label stands in its first row, and rows are numbered within a section."""
    loaded = editeval.load(layouts.editeval(tmp_path, layouts.EDITEVAL))

    assert () == loaded.problems
    found = [(item.name, item.picture.name, item.target) for item in loaded.items]
    assert [
        ("object_addition-1", "1.jpg", "a dog and a ball"),
        ("object_addition-2", "2.jpeg", "a cup & a spoon"),
        ("object_removel-1", "1.jpg", "a man"),
    ] == found


@pytest.mark.parametrize(
    ("make", "load", "expected"),
    [
        (
            layouts.gedit,
            instructions.load_gedit,
            ("abc", "subject-add", "add a hat", "fullset/subject-add/en/abc.png"),
        ),
        (
            layouts.gedit2,
            instructions.load_gedit_v2,
            (
                "background_change_000000",
                "any",
                "replace the sky",
                "background_change_000000.png",
            ),
        ),
        (
            layouts.genarena,
            instructions.load_genarena,
            ("000007", "any", "add a hat", "000007.png"),
        ),
    ],
)
def test_sets_of_instructions_are_read(
    make: Callable[[Path], Path],
    load: Callable[[Path], Loaded],
    expected: tuple[str, ...],
    tmp_path: Path,
) -> None:
    """A line is an item, in English where there are languages; its result is named as theirs are."""
    loaded = load(make(tmp_path))

    assert () == loaded.problems
    (item,) = loaded.items
    assert expected == (item.name, item.kind, item.instruction, item.result)


def _break_gedit(folder: Path) -> Loaded:
    layouts.gedit(folder)
    with (folder / "metadata.jsonl").open("a") as file:
        file.write('{"key": "x", "task_type": "fly"}\n{"task_type": "style_change"}\n')
    return instructions.load_gedit(folder)


def _break_genarena(folder: Path) -> Loaded:
    layouts.genarena(folder)
    with (folder / "metadata.jsonl").open("a") as file:
        file.write('{"index": "1"}\n{"index": 8, "file_name": "../8.png"}\n')
    return instructions.load_genarena(folder)


def _break_tedbench(folder: Path) -> Loaded:
    layouts.tedbench(folder)
    rows = json.loads((folder / "input_list.json").read_text())
    rows += [{"img_name": "gone.png", "target_text": "A gone."}, {"img_name": "cat.png"}]
    rows += [{"img_name": "../secret.png", "target_text": "A secret."}, rows[0]]
    (folder / "input_list.json").write_text(json.dumps(rows))
    return tedbench.load(folder)


def _break_pie(folder: Path) -> Loaded:
    rows = {
        "1": layouts.pie_row("1"),
        "2": layouts.pie_row("2", kind="10"),
        "3": layouts.pie_row("3", mask=(5,)),
        "4": layouts.pie_row("4"),
        "5": {**layouts.pie_row("5"), "editing_prompt": " [] "},
    }
    layouts.pie(folder, **rows)
    layouts.picture(folder / "annotation_images/2_add_object_80/4.jpg", (64, 64), "JPEG")
    return pie.load(folder)


def _break_uniedit(folder: Path) -> Loaded:
    layouts.uniedit(folder)
    (row, _) = json.loads((folder / "metadata.json").read_text())
    (folder / "images" / "add" / "animal" / "002.png").write_bytes(b"no picture")
    rows = [
        row,
        {**row, "id": "0001", "edit_type": "paint"},
        {**row, "id": "0002", "path": row["path"].replace("001", "002")},
        "no row",
    ]
    (folder / "metadata.json").write_text(json.dumps(rows))
    return uniedit.load(folder)


def _break_imgedit(folder: Path) -> Loaded:
    layouts.imgedit(folder)
    rows = json.loads((folder / "basic_edit.json").read_text())
    rows |= {"1084": {**rows["1082"], "edit_type": "fly"}, "1085": {"edit_type": "add"}}
    (folder / "basic_edit.json").write_text(json.dumps(rows))
    return imgedit.load(folder)


def _break_own(folder: Path) -> Loaded:
    layouts.own(folder)
    row = {"name": "another", "picture": "cat.png", "target": "a bat"}
    layouts.picture(folder / "large.png", (64, 64))
    rows = [
        row,
        {"name": "silent", "picture": "cat.png"},
        {**row, "picture": "../cat.png"},
        {**row, "mask": "large.png"},
        "no row",
    ]
    (folder / "items.json").write_text(json.dumps(rows))
    return own.load(folder)


def _break_editeval(folder: Path) -> Loaded:
    more = (("Juggling", "a", "b", "c"), ("Style Change", "a", "b", "c"))
    return editeval.load(layouts.editeval(folder, (*layouts.EDITEVAL, *more)))


@pytest.mark.parametrize(
    ("load", "good", "problems"),
    [
        (
            _break_tedbench,
            2,
            [
                "row 4: cannot read 'gone.png'",
                "row 5: 'target_text' was None",
                "row 6: the path was '../secret.png'",
                "bird.png-A_photo_of_a_bird_spreading_its_wings: 2 items",
            ],
        ),
        (
            _break_pie,
            1,
            [
                "2: 'editing_type_id' was '10'",
                "3: 'mask' was [5]",
                "4: the picture",
                "5: 'editing_p",
            ],
        ),
        (
            _break_uniedit,
            1,
            ["row 2: 'edit_type' was 'paint'", "row 3: cannot read", "row 4: 'path'"],
        ),
        (_break_imgedit, 1, ["1084: 'edit_type' was 'fly'", "1085: 'id' was None"]),
        (_break_gedit, 1, ["row 2: 'task_type' was 'fly'", "row 3: 'key' was None"]),
        (_break_genarena, 1, ["row 2: 'index' was '1'", "row 3: the path was '../8.png'"]),
        (
            _break_own,
            1,
            [
                "row 2: 'target' was None",
                "row 3: the path was '../cat.png'",
                "row 4: its mask is (64, 64)",
                "row 5: 'name' was None",
            ],
        ),
        (_break_editeval, 3, ["row 5: its section was 'Juggling'", "row 6: cannot read '1.jpg'"]),
    ],
)
def test_all_that_is_wrong_is_told_at_once(
    load: Callable[[Path], Loaded], good: int, problems: list[str], tmp_path: Path
) -> None:
    """Bad items are named with the reason, and the others are there."""
    loaded = load(tmp_path)

    assert good == len(loaded.items)
    pairs = zip(problems, loaded.problems, strict=True)
    assert [] == [(want, found) for want, found in pairs if not found.startswith(want)]


@pytest.mark.parametrize(
    ("load", "where"),
    [
        (tedbench.load, "imagic-editing.github.io"),
        (tedbench.load_plus, "TEdBench_plusplus"),
        (pie.load, "must be asked for by the form"),
        (uniedit.load, "wesar1/UniEditBench"),
        (imgedit.load, "sysuyy/ImgEdit"),
        (editeval.load, "SiatMMLab"),
        (instructions.load_gedit, "stepfun-ai/GEdit-Bench"),
        (instructions.load_gedit_v2, "GEditBench-v2/GEditBench-v2"),
        (instructions.load_genarena, "rhli/genarena"),
        (own.load, "a list 'items.json' of edits"),
    ],
)
def test_a_folder_that_is_none_says_where_to_get_one(
    load: Callable[[Path], Loaded], where: str, tmp_path: Path
) -> None:
    """One sentence says what is missing and where the benchmark is."""
    with pytest.raises(InputError, match=where):
        load(tmp_path)
