"""The loop of a run, in this process and on a tiny model: what is done, kept and done again."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imagic_lora import (
    Adapter,
    ImagicEditor,
    JobsError,
    ModelError,
    OutputError,
    run,
)
from imagic_lora.errors import heard_by
from imagic_lora.images.png import read_record
from imagic_lora.runs.events import Begun, Event, Fitted, Landed, Ready, Step, values
from imagic_lora.runs.folder import Folder
from imagic_lora.runs.jobs import Shard
from tests.support.handmade import made
from tests.support.quick import QuickEditor
from tests.support.tiny import Kind

FEW = {"fit": {"steps": 1, "rank": 1}, "edit": {"steps": 1}, "alpha": 1, "source": "a"}
ROWS: tuple[dict[str, Any], ...] = (
    {"image": "cat.png", "target": "a cat", "kind": "same", **FEW},
    {"image": "dog.png", "target": "a dog", "mask": "mask.png", **FEW},
    {"image": "cat.png", "target": "a fox", **FEW},
)


@pytest.fixture
def place(tmp_path: Path, picture: Image.Image, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder with two pictures and a mask, and work in it."""
    picture.save(tmp_path / "cat.png")
    picture.rotate(90).save(tmp_path / "dog.png")
    Image.new("L", picture.size, 255).save(tmp_path / "mask.png")
    with monkeypatch.context() as there:
        there.chdir(tmp_path)
        yield tmp_path


def _files(folder: Path) -> dict[str, bytes]:
    """Return adapters and pictures with their content."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.parent.name in ("adapters", "pictures")
    }


def _lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a manifest."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


class _Killed(BaseException):
    """Stands for what ends a process at once."""


@pytest.fixture
def quick() -> QuickEditor:
    """Give an editor that needs no time."""
    return QuickEditor(made())


def test_a_run_makes_every_picture(place: Path, editor: Callable[[Kind], ImagicEditor]) -> None:
    """Adapters, pictures and what is to be known of them are in the folder, and it was told."""
    tiny_editor = editor("sd1")
    told: list[Event] = []

    report = run(ROWS, place / "out", tiny_editor, on_event=told.append)

    assert report.complete
    assert ["00001", "00002", "00003"] == [each.id for each in report.outcomes]
    assert 2 == len({each.adapter for each in report.outcomes})
    assert {
        *(each.adapter for each in report.outcomes),
        *(each.picture for each in report.outcomes),
    } == _files(place / "out").keys()
    assert [each.id for each in report.outcomes] == [
        each["id"] for each in _lines(place / "out" / "manifest.jsonl")
    ]
    assert {"kind": "same"} == report.outcomes[0].notes
    for outcome in report.outcomes:
        adapter = Adapter.load(place / "out" / outcome.adapter)
        record = read_record(place / "out" / outcome.picture)
        assert record is not None
        assert outcome.adapter_sha256 == adapter.sha256 == record["adapter_sha256"]
    summary = json.loads((place / "out" / "summary.json").read_text())
    assert (3, 3, 0, 2) == (
        summary["rows"],
        summary["ok"],
        summary["error"],
        summary["fits"]["count"],
    )
    assert (place / "out" / "sheet.png").exists()
    described = json.loads((place / "out" / "run.json").read_text())
    assert tiny_editor.model.traits.fingerprint == described["fingerprint"]
    kinds = [type(each) for each in told if not isinstance(each, Step)]
    assert [Begun, Ready, Fitted, Landed, Landed, Fitted, Landed] == kinds
    assert all(json.dumps(values(each)) for each in told)
    assert 0 == [each.seconds_left for each in told if isinstance(each, Landed)][-1]


def test_a_run_goes_on_where_it_was_stopped(place: Path, quick: QuickEditor) -> None:
    """Stopped at any work, the same command does what is left, and every byte is the same."""
    run(ROWS, place / "whole", quick)
    whole = _files(place / "whole")

    for stop in range(1, 6):
        out = place / f"stopped-{stop}"
        quick.count, quick.failures = 0, {stop: _Killed()}
        with pytest.raises(_Killed):
            run(ROWS, out, quick)
        with (out / "manifest.jsonl").open("ab") as manifest:
            manifest.write(b'{"id": "000')  # a torn line
        report = run(ROWS, out, quick)

        assert report.complete
        assert 5 == quick.count - 1  # nothing is done twice but what was cut off
        assert whole == _files(out)
        assert 3 == len(_lines(out / "manifest.jsonl"))


def test_a_finished_run_loads_nothing(
    place: Path, quick: QuickEditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is done is known from the pictures alone, without manifest and model."""
    before = run(ROWS, place / "out", quick)
    (place / "out" / "manifest.jsonl").unlink()
    monkeypatch.setattr(ImagicEditor, "from_pretrained", lambda *_, **__: pytest.fail("loaded"))

    again = run(ROWS, place / "out", "tiny")

    assert again.complete
    assert not again.fresh
    assert [(each.id, each.alpha, each.adapter_sha256) for each in before.outcomes] == [
        (each.id, each.alpha, each.adapter_sha256) for each in again.outcomes
    ]


def test_what_fails_stops_no_other_and_is_tried_again(place: Path, quick: QuickEditor) -> None:
    """An error of ours is a sentence, another keeps its traceback, and both are done next time."""
    quick.failures = {1: ModelError("No."), 3: ZeroDivisionError("oh")}

    report = run(ROWS, place / "out", quick)

    assert ["error", "error", "error"] == [each.status for each in report.outcomes]
    assert ["No.", "ZeroDivisionError: oh", "No."] == [each.brief for each in report.outcomes]
    assert "Traceback" in report.outcomes[1].message
    assert not report.complete
    assert {"No.": 2, "ZeroDivisionError: oh": 1} == report.summary()["failures"]
    again = run(ROWS, place / "out", quick)
    assert again.complete
    assert {"00001", "00002", "00003"} == again.fresh


def test_a_row_that_asks_something_else_is_named(place: Path, quick: QuickEditor) -> None:
    """Nothing is overwritten unasked; with force, only what differs is made anew."""
    out = place / "out"
    run(ROWS, out, quick)
    before = _files(out)
    other = [ROWS[0], {**ROWS[1], "edit": {"steps": 2}, "target": "a wolf"}, ROWS[2]]

    with pytest.raises(JobsError) as caught:
        run(other, out, quick)

    (problem,) = caught.value.problems
    assert (
        "line 2: pictures/00002.png was made with target 'a dog' where the row asks 'a wolf', "
        "edit.steps 1 where the row asks 2; make it anew with --force (force=True)."
    ) == problem
    assert before == _files(out)
    assert {"00002"} == run(other, out, quick, force=True).fresh
    changed = {name for name, content in _files(out).items() if before[name] != content}
    assert {"pictures/00002.png"} == changed


def test_another_model_is_another_question(place: Path) -> None:
    """Pictures of another model are not done, and other weights of the same name are refused."""
    out = place / "out"
    run(ROWS[:1], out, QuickEditor(made()))

    with pytest.raises(JobsError, match="made with model 'tiny' where the row asks 'other'"):
        run(ROWS, out, "other")
    with pytest.raises(JobsError, match="made with model 'tiny' where the row asks 'tiny, clip"):
        run(ROWS, out, "tiny", clip_skip=1)
    with pytest.raises(ModelError, match="has other weights"):
        run(ROWS, out, QuickEditor(made(), fingerprint="g"))


def test_a_damaged_adapter_is_fitted_anew(place: Path, quick: QuickEditor) -> None:
    """What is in the folder is used only where it is whole and what is asked."""
    out = place / "out"
    whole = run(ROWS, out, quick).outcomes[0]
    expected = _files(out)
    (out / whole.adapter).write_bytes(b"torn")
    (out / whole.picture).unlink()

    report = run(ROWS, out, quick)

    assert {"00001"} == report.fresh
    assert expected == _files(out)


def test_a_full_disk_leaves_every_row_with_its_end(place: Path, quick: QuickEditor) -> None:
    """Where nothing can be written no work is wasted, and the same command goes on later."""
    quick.failures = {4: OutputError("cannot write x: no space left on device.")}

    report = run(ROWS, place / "out", quick)

    assert 4 == quick.count
    assert [("ok", 1), ("error", 0), ("ok", 1)] == [(o.status, o.tries) for o in report.outcomes]
    assert {"cannot write x: no space left on device.": 1} == report.summary()["failures"]
    listed = Folder(place / "out", Shard()).outcomes()
    assert ["ok", "error", "ok"] == [each.status for each in listed.values()]
    assert run(ROWS, place / "out", quick).complete


def test_a_disk_that_takes_no_manifest_loses_no_outcome(
    place: Path, quick: QuickEditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was made is told, the rest fails, and what cannot be listed is warned of."""
    told: list[Event] = []
    heard: list[str] = []
    full = OutputError("cannot write manifest.jsonl: the disk is full.")

    with monkeypatch.context() as broken, heard_by(heard.append):
        broken.setattr(Folder, "add", _raising(full))
        broken.setattr(Folder, "summarise", _raising(full))
        report = run(ROWS, place / "out", quick, on_event=told.append)

    assert ["ok", "error", "error"] == [each.status for each in report.outcomes]
    assert ["00001"] == [each.outcome.id for each in told if isinstance(each, Landed)]
    assert ["cannot write manifest.jsonl: the disk is full. What was made is there"] == [
        each.partition(",")[0] for each in heard
    ]
    again = run(ROWS, place / "out", quick)
    assert (True, frozenset({"00002", "00003"})) == (again.complete, again.fresh)


def _raising(error: Exception) -> Callable[..., None]:
    """Return a function that raises."""

    def fail(*_: object) -> None:
        raise error

    return fail


def test_a_folder_of_something_else_is_left_alone(place: Path, quick: QuickEditor) -> None:
    """A run mixes with other files only where that was said."""
    with pytest.raises(OutputError, match="holds files that are of no run"):
        run(ROWS, place, quick)

    assert not (place / "run.json").exists()
    assert run(ROWS[:1], place, quick, force=True).complete


def test_parts_add_up_to_the_whole(place: Path, quick: QuickEditor) -> None:
    """Two processes of a scheduler do what one does, and the whole command then only counts."""
    run(ROWS, place / "whole", quick)
    out = place / "out"

    parts = [run(ROWS, out, quick, shard=f"{n}/2") for n in range(2)]
    whole = run(ROWS, out, quick)

    assert [2, 1] == [part.rows for part in parts]
    assert (True, frozenset()) == (whole.complete, whole.fresh)
    assert _files(place / "whole") == _files(out)
    assert (out / "manifest.1-of-2.jsonl").exists()


def test_warnings_are_those_of_their_row(place: Path, quick: QuickEditor) -> None:
    """What was warned of is kept with the row that it is about."""
    long = {**ROWS[0], "target": "a very long target " * 8}

    report = run([ROWS[1], long], place / "out", quick)

    assert [(), ("the target is long.",)] == [each.warnings for each in report.outcomes]


def test_a_ctrl_c_leaves_a_summary(place: Path, quick: QuickEditor) -> None:
    """What is done by then is counted, and the interrupt goes on to whoever waits for it."""
    quick.failures = {5: KeyboardInterrupt()}

    with pytest.raises(KeyboardInterrupt):
        run(ROWS, place / "out", quick)

    summary = json.loads((place / "out" / "summary.json").read_text())
    assert (2, 1) == (summary["ok"], summary["left"])
