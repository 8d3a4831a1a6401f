"""Pictures at addresses: fetched as fsspec finds them, within a bound, and else a sentence."""

import io
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from PIL import Image

from imagic_lora import JobsError, read_jobs, run
from imagic_lora.runs import places
from tests.support.handmade import made
from tests.support.quick import QuickEditor

ADDRESS = "memory://photos/cat.png"
ROW = {"image": ADDRESS, "target": "a cat", "alpha": 1, "source": "a", "mask": ADDRESS + "?mask"}


@pytest.fixture
def remote(picture: Image.Image) -> Iterator[fsspec.AbstractFileSystem]:
    """Give a file system of addresses with a picture and a mask in it."""
    system = fsspec.filesystem("memory")
    for name, image in (("", picture), ("?mask", picture.convert("L"))):
        data = io.BytesIO()
        image.save(data, "PNG")
        system.pipe(ADDRESS + name, data.getvalue())
    yield system
    system.rm("/photos", recursive=True)


@pytest.mark.usefixtures("remote")
def test_a_picture_may_be_an_address(tmp_path: Path, picture: Image.Image) -> None:
    """It leads to the same fit and picture as the file, and no copy of it stays."""
    picture.save(tmp_path / "cat.png")
    picture.convert("L").save(tmp_path / "mask.png")
    here = {**ROW, "image": "cat.png", "mask": "mask.png"}

    jobs, local = read_jobs([ROW]), read_jobs([here], root=tmp_path)
    report = run(jobs, tmp_path / "out", QuickEditor(made()))
    run(local, tmp_path / "local", QuickEditor(made()))

    assert report.complete
    assert (local.rows[0].fit_key, "cat.png") == (jobs.rows[0].fit_key, jobs.rows[0].image.name)
    made_here, made_there = (tmp_path / out / "pictures" / "00001.png" for out in ("local", "out"))
    assert made_here.read_bytes() == made_there.read_bytes()


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("memory://photos/dog.png", "cannot fetch 'dog.png': there is no such file."),
        ("nowhere://photos/cat.png?key=secret", "cannot fetch 'cat.png': "),
        ("memory://photos/..", "cannot fetch 'picture': "),
    ],
)
@pytest.mark.usefixtures("remote")
def test_what_cannot_be_fetched_is_a_problem_of_its_row(address: str, sentence: str) -> None:
    """Whatever the file system raises is one sentence, which tells no key of an address."""
    with pytest.raises(JobsError) as caught:
        read_jobs([{**ROW, "image": address}])

    (problem,) = caught.value.problems
    assert problem.startswith(f"line 1: {sentence}")
    assert "secret" not in problem


@pytest.mark.usefixtures("remote")
def test_no_more_is_fetched_than_a_picture_can_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endless file is refused before it fills the memory."""
    monkeypatch.setattr(places, "MOST_BYTES", 10)

    with pytest.raises(JobsError, match=r"'cat.png' has over 0 MiB, allowed is less"):
        read_jobs([ROW])


def test_a_picture_that_changed_fails_alone(
    tmp_path: Path, remote: fsspec.AbstractFileSystem, picture: Image.Image
) -> None:
    """What was checked is what is edited."""
    jobs = read_jobs([ROW])
    data = io.BytesIO()
    picture.rotate(90).save(data, "PNG")
    remote.pipe(ADDRESS, data.getvalue())

    report = run(jobs, tmp_path / "out", QuickEditor(made()))

    assert ["'cat.png' has changed since the run began; start it again."] == [
        each.message for each in report.outcomes
    ]
