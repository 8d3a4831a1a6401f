"""What holds for the data of sets: nothing is fetched unasked, and what is packed is unpacked once."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub.errors import DryRunError

from imagic_lora import hub
from imagic_lora.errors import heard_by
from tests.bench import layouts
from tests.support.command import Command, runner

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """Give a function that runs the command line in this process."""
    return runner(capsys)


class Served:
    """A Hub with one data set, which says what it was asked.

    Args:
        folder: The files of the set.
        missing: Bytes that are not in the cache; None where the Hub is out of reach.
    """

    def __init__(self, folder: Path, missing: int | None = 0) -> None:
        self.folder, self.missing = folder, missing
        self.asked: list[dict[str, Any]] = []

    def __call__(self, repository: str, **asked: Any) -> Any:
        """Stand for `huggingface_hub.snapshot_download`."""
        self.asked.append({"repository": repository, **asked})
        if not asked["dry_run"]:
            return str(self.folder)
        if self.missing is None:
            raise DryRunError("no network")
        return [
            SimpleNamespace(file_size=self.missing, will_download=self.missing > 0),
            SimpleNamespace(file_size=10**9, will_download=False),
        ]

    @property
    def fetched(self) -> int:
        """How often files were fetched."""
        return sum(not one["dry_run"] for one in self.asked)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    """Give a Hub that has TEdBench++."""
    found = Served(layouts.tedbench_plus(tmp_path / COMMIT))
    monkeypatch.setattr(hub, "snapshot_download", found)
    return found


def test_a_check_says_how_much_would_be_fetched(run: Command, served: Served) -> None:
    """It fetches nothing; where all is in the cache, it says what the set holds."""
    served.missing = 123_000_000

    asked = run("bench", "tedbench++", "--data", "hub", "--check")

    assert (0, 0) == (asked.code, served.fetched)
    assert asked.out.startswith("123 MB of the data set 'AIML-TUDA/TEdBench_plusplus' at 'main'")
    served.missing = 0
    assert "1 items of 1 pictures" in run("bench", "tedbench++", "--data", "hub", "--check").out


def test_a_set_is_fetched_at_the_revision_that_is_asked_for(
    run: Command, served: Served, tmp_path: Path
) -> None:
    """Only the files that are read; the size is said before, and the report names the commit."""
    served.missing, theirs, said = 2_500_000, tmp_path / "theirs", list[str]()
    layouts.picture(theirs / "dog.jpeg-A_dog,_asleep.png")
    asked = ("--data", f"hub@{COMMIT}", "-o", tmp_path / "out", "--score", theirs)

    with heard_by(said.append):
        done = run("bench", "tedbench++", *asked, "--scorers", "pixels")

    assert 0 == done.code, done.err
    assert {
        "repository": "AIML-TUDA/TEdBench_plusplus",
        "repo_type": "dataset",
        "revision": COMMIT,
        "allow_patterns": ["tedbench++.csv", "originals/*"],
        "dry_run": False,
    } == served.asked[-1]
    came = f"AIML-TUDA/TEdBench_plusplus at {COMMIT}"
    assert came == json.loads((tmp_path / "out" / "report.json").read_text())["origin"]
    assert (
        f"1 of 1 items. The data are those of {came}."
        in (tmp_path / "out" / "report.md").read_text()
    )
    assert "2.5 MB of the data set" in done.err + "".join(said)


def test_what_is_in_the_cache_needs_no_hub(run: Command, served: Served, tmp_path: Path) -> None:
    """A Hub that is out of reach stops nobody who has the files."""
    served.missing = None

    done = run("bench", "tedbench++", "--data", "hub", "-o", tmp_path / "out")

    assert "There is nothing to score" in done.error
    assert "1 items of 1 pictures" in run("bench", "tedbench++", "--data", "hub", "--check").out
    assert 2 == served.fetched


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("tedbench", "github.com/imagic-editing/imagic-editing.github.io"),
        ("pie", "must be asked for by the form"),
        ("editeval", "github.com/SiatMMLab"),
    ],
)
def test_a_set_that_is_not_on_the_hub_says_where_it_is(
    run: Command, served: Served, name: str, where: str
) -> None:
    """One sentence, and nobody is asked."""
    done = run("bench", name, "--data", "hub", "--check")

    assert 2 == done.code
    assert f"'{name}' cannot be had from the Hub: " in done.error
    assert where in done.error
    assert [] == served.asked


@pytest.mark.parametrize(
    ("name", "pack", "bad"),
    [
        ("gedit", layouts.packed_gedit, ("2: 'file_name' was None", "3: cannot read '00002.png'")),
        ("gedit2", layouts.packed_gedit2, ("2: 'source_image' was N", "3: cannot read '00002.p")),
        ("genarena", layouts.packed_genarena, ("2: 'file_name' was No", "3: cannot read '00002.")),
    ],
)
def test_tables_are_unpacked(
    name: str,
    pack: Callable[[Path, Any], Path],
    bad: Sequence[str],
    run: Command,
    tmp_path: Path,
) -> None:
    """Items are there with their pictures, and what is wrong with some of them is told of all."""
    data = pack(tmp_path / "data", pytest.importorskip("pyarrow"))

    checked = run("bench", name, "--data", data, "--check", "-o", tmp_path / "out")

    assert 2 == checked.code
    assert ": 1 items of 1 pictures" in checked.out
    assert all(f"bad: row {one}" in checked.err for one in bad), checked.err
    unasked = run("bench", name, "--data", data, "--check")
    assert "packed; give -o, the folder in which they are unpacked" in unasked.error


def test_a_table_that_is_none_is_one_sentence(run: Command, tmp_path: Path) -> None:
    """So is one with other columns."""
    pyarrow = pytest.importorskip("pyarrow")
    path, out = tmp_path / "data" / "basic" / "data-0.parquet", tmp_path / "out"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no table")
    asked = ("bench", "genarena", "--data", tmp_path / "data", "--check", "-o", out)

    assert "data-0.parquet' cannot be read (" in run(*asked).error
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([{"index": 1}]), path)
    assert "has no column 'task_type' and no column 'instruction'" in run(*asked).error
    assert not out.exists()


def test_an_archive_is_unpacked_once(run: Command, tmp_path: Path) -> None:
    """Nothing leaves the folder; what is there is used, unless the archive is another one."""
    data, out = layouts.packed_imgedit(tmp_path / "set"), tmp_path / "out"
    asked = ("bench", "imgedit", "--data", data, "--check", "-o", out)

    assert "1 items of 1 pictures" in run(*asked).out

    made = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert ["data/animal/1.jpg", "data/singleturn.json", "data/unpacked.json"] == made
    assert not list(tmp_path.rglob("escaped.json"))
    (out / "data" / "singleturn.json").write_text("{}")
    assert "0 items" in run(*asked).out
    with (data / "Benchmark.tar").open("ab") as file:
        file.write(bytes(10240))
    assert "1 items of 1 pictures" in run(*asked).out


def test_an_archive_that_is_cut_off_is_one_sentence(run: Command, tmp_path: Path) -> None:
    """It says which file, and what to do."""
    data = layouts.packed_imgedit(tmp_path / "set")
    path = data / "Benchmark.tar"
    path.write_bytes(path.read_bytes()[:1500])

    done = run("bench", "imgedit", "--data", data, "--check", "-o", tmp_path / "out")

    assert "Benchmark.tar' is no whole tar file; fetch it again." in done.error
