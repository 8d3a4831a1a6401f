"""What a file of jobs may be, and everything that can be wrong with it."""

import json
import os
import pickle
from pathlib import Path

import pytest
from PIL import Image

from imagic_lora import InputError, JobsError, SettingsError, read_jobs
from imagic_lora.runs.jobs import Shard

GOOD = {"image": "cat.png", "target": "a cat"}


@pytest.fixture
def place(tmp_path: Path, picture: Image.Image) -> Path:
    """Give a folder with a picture, a copy of it, and another one."""
    picture.save(tmp_path / "cat.png")
    picture.save(tmp_path / "copy.png")
    picture.rotate(90).save(tmp_path / "dog.png")
    return tmp_path


def _write(place: Path, *rows: object) -> Path:
    """Write rows as JSON Lines and return the file; a text is a line as it is."""
    path = place / "jobs.jsonl"
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines), "utf-8")
    return path


def _problems(path: Path) -> tuple[str, ...]:
    """Return what is wrong with the rows of a file."""
    with pytest.raises(JobsError) as caught:
        read_jobs(path)
    return caught.value.problems


def test_only_files_are_read(place: Path) -> None:
    """Of a pipe or a device, which may never end, nothing is read."""
    os.mkfifo(place / "pipe")

    for path in (place / "pipe", Path("/dev/zero"), place):
        with pytest.raises(InputError, match="it is no file"):
            read_jobs(path)


def test_every_form_of_a_file_says_the_same(place: Path) -> None:
    """JSON Lines, a JSON list and CSV with dotted names lead to equal rows."""
    row = {**GOOD, "alpha": 1.5, "fit": {"rank": 2}, "edit": {"steps": 4}, "kind": "pose"}
    (place / "list.json").write_text(json.dumps([row]), "utf-8")
    (place / "rows.csv").write_text(
        "image,target,alpha,fit.rank,edit.steps,kind,source\ncat.png,a cat,1.5,2,4,pose,\n", "utf-8"
    )

    found = [
        read_jobs(_write(place, row)).rows[0],
        read_jobs(place / "list.json").rows[0],
        read_jobs([row], root=place).rows[0],
    ]
    (from_csv,) = read_jobs(place / "rows.csv").rows

    assert [from_csv.fit_key] * 3 == [each.fit_key for each in found]
    assert found[:1] * 3 == found
    assert (2, 4, 1.5, {"kind": "pose"}) == (
        from_csv.fit.rank,
        from_csv.edit.steps,
        from_csv.alpha,
        from_csv.notes,
    )
    assert (1, 2) == (found[0].line, from_csv.line)


def test_columns_have_the_names_that_are_said(place: Path) -> None:
    """A file of others is read by its own names; pictures are looked for where they are."""
    theirs = {"img_name": "cat.png", "target_text": "a cat", "image": 7}
    (place / "elsewhere").mkdir()
    path = _write(place / "elsewhere", theirs)

    jobs = read_jobs(path, columns={"image": "img_name", "target": "target_text"}, root=place)

    assert [str(place / "cat.png")] == [row.image.place for row in jobs.rows]
    assert {} == jobs.rows[0].notes


def test_a_file_without_our_columns_says_which_it_has(place: Path) -> None:
    """What is wrong with all rows is said once, with what to do."""
    path = _write(place, {"img_name": "cat.png", "target": "a"}, {"img_name": "a", "target": "b"})

    with pytest.raises(InputError, match=r"'img_name', 'target'; .* --columns image=NAME"):
        read_jobs(path)


def test_rows_of_one_picture_share_their_fit(place: Path) -> None:
    """What a fit depends on is picture, caption and settings, whatever the file is called."""
    rows = [
        GOOD,
        {**GOOD, "target": "a horse", "alpha": 0.5, "edit": {"steps": 3}},
        {**GOOD, "image": "copy.png"},
        {**GOOD, "fit": {"rank": 2}},
        {**GOOD, "source": "a cat"},
        {**GOOD, "image": "dog.png"},
    ]

    jobs = read_jobs(_write(place, *rows)).grouped()

    assert [[1, 2, 3], [4], [5], [6]] == [[row.line for row in job.rows] for job in jobs]
    assert "a cat" == jobs[0].target
    assert len(jobs) == len({job.key for job in jobs})


def test_every_problem_of_every_row_is_said(place: Path) -> None:
    """Whoever mends a file sees all of it, with line numbers and near matches."""
    (place / "torn.png").write_bytes((place / "cat.png").read_bytes()[:60])
    path = _write(
        place,
        GOOD,
        "",
        '{"image": "cat.png"',
        {"image": "lost.png", "alpha": "strong"},
        {**GOOD, "image": "torn.png"},
        {**GOOD, "fit": {"rnak": 2, "steps": 0}, "edit": 3},
        {**GOOD, "steps": 3, "alhpa": 1},
        {**GOOD, "id": "../up"},
        {**GOOD, "id": "00001"},
        [],
        {**GOOD, "mask": "lost.png", "alpha": None, "source": 5},
        '{"image": "cat.png", "target": "a", "alpha": NaN}',
    )

    said = "\n".join(_problems(path))

    for expected in (
        "line 3: it is no JSON",
        "line 4: it has no 'target'.",
        "line 4: cannot read 'lost.png': there is no such file.",
        "line 4: alpha was 'strong', allowed is 'auto' or any number.",
        "line 5: cannot read 'torn.png'",
        "line 6: there is no setting 'fit.rnak'. Did you mean 'rank'? fit.steps was 0",
        "line 6: its 'edit' was 3, allowed is an object.",
        "line 7: its column 'steps' is none of ours; write 'fit.steps' or 'edit.steps'",
        "line 7: its column 'alhpa' is none of ours; write 'alpha'",
        "line 8: its id was '../up'",
        "line 9: its id '00001' is that of line 1",
        "line 10: it is [], allowed is an object.",
        "line 11: cannot read 'lost.png'",
        "line 11: The source was of type int",
        "line 12: it is no JSON: NaN is no number.",
    ):
        assert expected in said
    assert "line 1:" not in said


def test_csv_is_held_to_its_header(place: Path) -> None:
    """A cell too many or too few is no guess; lines are counted as editors count them."""
    (place / "rows.csv").write_text('image,target\ncat.png,"a\ncat"\n\ncat.png\ncat.png,a,b\n')

    assert (
        "line 5: it has 1 cells, and the header has 2.",
        "line 6: it has 3 cells, and the header has 2.",
    ) == _problems(place / "rows.csv")


@pytest.mark.parametrize("content", [b"", b"\n\n", b"[]", b"\xff\xfe\x00", b"image,target\n"])
def test_a_file_without_rows_is_refused(place: Path, content: bytes) -> None:
    """What holds no row at all gets one sentence."""
    for name in ("jobs.jsonl", "jobs.csv"):
        (place / name).write_bytes(content)

        with pytest.raises(InputError):
            read_jobs(place / name)


def test_the_parts_of_a_run_are_the_whole(place: Path) -> None:
    """Each fit is in one part, with all its edits; rows added at the end move none."""
    rows = [{**GOOD, "fit": {"seed": n // 2}} for n in range(14)]
    jobs = read_jobs(rows, root=place)
    longer = read_jobs([*rows, {**GOOD, "fit": {"seed": 99}}], root=place)

    parts = [jobs.part(Shard.of(f"{n}/3")) for n in range(3)]

    assert sorted(row.id for part in parts for row in part.rows) == [row.id for row in jobs.rows]
    assert [6, 4, 4] == [len(part.rows) for part in parts]
    assert [3, 2, 2] == [len(part.grouped()) for part in parts]
    assert set(parts[2].rows) <= set(longer.part(Shard.of("2/3")).rows)


@pytest.mark.parametrize("words", ["3/3", "1", "-1/3", "a/b", "0/0", " 0/2"])
def test_a_part_that_is_none_is_refused(words: str) -> None:
    """Parts are counted from 0."""
    with pytest.raises(SettingsError, match="0/16 to 15/16"):
        Shard.of(words)


def test_what_is_wrong_can_be_sent_elsewhere() -> None:
    """The error keeps its problems on its way through another process."""
    error = JobsError("jobs.jsonl", ["line 1: it has no 'image'.", "line 2: it has no 'image'."])

    again = pickle.loads(pickle.dumps(error))

    assert (str(error), error.problems) == (str(again), again.problems)
    assert str(error).startswith("2 problems with rows of 'jobs.jsonl':\nline 1: ")
