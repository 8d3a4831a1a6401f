"""`imagic-lora run`: exit codes, what goes to which stream, and what is asked before any work."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.support.command import Command, runner

FEW = {"alpha": 1, "source": "a", "fit": {"steps": 1, "rank": 1}, "edit": {"steps": 1}}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """Give a function that runs the command line in this process."""
    return runner(capsys)


@pytest.fixture
def jobs(tmp_path: Path, picture: Image.Image) -> Path:
    """Give a file of two edits of one picture."""
    picture.save(tmp_path / "cat.png")
    rows = [{"image": "cat.png", "target": target, **FEW} for target in ("a cat", "a fox")]
    path = tmp_path / "jobs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


@pytest.mark.usefixtures("tiny")
def test_a_run_says_how_each_row_ended(run: Command, jobs: Path) -> None:
    """A line a row while it works, the outcome on standard output, and 0 once all is done."""
    out = jobs.parent / "out"

    done = run("run", jobs, "-o", out, "--model", "demo")
    again = run("run", jobs, "-o", out, "--model", "demo", "--json")

    assert (0, 0) == (done.code, again.code)
    rows = [line for line in done.err.splitlines() if "/2 0000" in line]
    assert ["1/2 00001 ok, ", "2/2 00002 ok, "] == [line[:14] for line in rows]
    assert rows[1].endswith("; 0 s left")
    assert done.out.startswith("2 of 2 rows are done, 2 of them now, in ")
    events = [json.loads(line) for line in again.out.splitlines()]
    assert ["begun", "ended"] == [each["event"] for each in events]
    assert (2, 0) == (events[1]["ok"], events[1]["done_now"])


@pytest.mark.usefixtures("tiny")
def test_a_row_that_failed_is_exit_code_1(
    run: Command, jobs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are done, and the line says why one is not."""
    monkeypatch.setattr("imagic_lora.editor.ImagicEditor.edit", lambda *_, **__: 1 / 0)

    done = run("run", jobs, "-o", jobs.parent / "out", "--model", "demo")

    assert 1 == done.code
    assert "00002 error: ZeroDivisionError: division by zero; 2 failed" in done.err
    assert "  2 failed: ZeroDivisionError: division by zero" in done.out


def test_bad_rows_are_all_named_before_anything_is_loaded(
    run: Command, jobs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line for each problem, one for the outcome, and exit code 2."""
    monkeypatch.setattr("imagic_lora.editor.load_model", lambda *_, **__: pytest.fail("loaded"))
    jobs.write_text('{"image": "cat.png", "target": ""}\n{"image": "dog.png", "target": "a"}')

    done = run("run", jobs, "-o", jobs.parent / "out")

    assert (2, "") == (done.code, done.out)
    assert ["line 1: The target is", "line 2: cannot read '"] == [
        line[:21] for line in done.err.splitlines()[:2]
    ]
    assert done.error.endswith(
        "2 problems with rows of 'jobs.jsonl' are named above; nothing was done."
    )
    assert not (jobs.parent / "out").exists()


def test_a_check_does_nothing_else(run: Command, jobs: Path) -> None:
    """It needs no folder, loads nothing, and says what there is to do."""
    text = jobs.read_text().replace('"image"', '"file"').replace('"target"', '"text"')
    jobs.write_text(text)

    done = run("run", jobs, "--check", "--columns", "image=file,target=text", "--root", jobs.parent)

    assert (0, "") == (done.code, done.err)
    assert "2 rows of 1 pictures can be done, with 1 fits.\n" == done.out
    assert {"cat.png", "jobs.jsonl"} == {path.name for path in jobs.parent.iterdir()}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "a value is required: -o/--out"),
        (("-o", "out", "--shard", "4/4"), "the shard was '4/4', allowed is 0/16 to 15/16"),
        (("-o", "out", "--columns", "image"), "the value was 'image', allowed is e.g. image="),
    ],
)
def test_what_is_missing_or_wrong_is_said(
    run: Command, jobs: Path, words: tuple[str, ...], expected: str
) -> None:
    """A mistake on the command line is one sentence and exit code 2."""
    done = run("run", jobs, *words)

    assert 2 == done.code
    assert expected in done.error
