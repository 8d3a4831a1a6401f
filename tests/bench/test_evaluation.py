"""What holds for every benchmark's stages: each alone, none twice, and what fails stops no other."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from imagic_lora import ImagicEditor
from imagic_lora.bench import catalogue, evaluation, rows
from imagic_lora.bench.choices import BENCHMARKS, SCORERS, WEIGHED
from imagic_lora.bench.columns import Column
from imagic_lora.bench.inputs import spread
from imagic_lora.bench.items import Item
from imagic_lora.bench.metrics.base import Pair, Scores
from imagic_lora.bench.rivals.ledits import LeditsPP
from imagic_lora.bench.rivals.plain import Autoencoder, Img2Img
from imagic_lora.errors import ModelError
from tests.bench import layouts
from tests.support.command import Command, Done, runner
from tests.support.handmade import made
from tests.support.quick import QuickEditor
from tests.support.tiny import Kind

ITEMS = tuple(
    Item(f"{n}", "add" if n < 4 else "style", Path("none"), "a target", f"{n}.png")
    for n in range(6)
)


@dataclass(frozen=True)
class Red:
    """A scorer of how red a picture is, which says when it is asked."""

    asked: ClassVar[list[str]] = []

    def score(self, pair: Pair) -> Scores:
        """Return the red of its first pixel."""
        self.asked.append(pair.item.name)
        return {"clip": float(np.asarray(pair.after)[0, 0, 0])}


@dataclass(frozen=True)
class Hats:
    """A scorer of somebody's own: it reads what the list says of an item, and has a column."""

    columns: ClassVar = {"hats": Column("hats", higher=True, digits=0)}

    def score(self, pair: Pair) -> Scores:
        """Return how many hats there should be."""
        return {"hats": pair.item.notes.get("hats")}


HATS = Hats()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """Give a function that runs the command line in this process."""
    return runner(capsys)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder of PIE-Bench with two items, scored by how red they are."""
    monkeypatch.setattr(evaluation, "SCORERS", {"clip": lambda _: (Red(),)})
    Red.asked.clear()
    asked = {name: layouts.pie_row(name, kind) for name, kind in (("1", "2"), ("2", "5"))}
    folder = layouts.pie(tmp_path / "data", **asked)
    second = folder / "annotation_images" / asked["2"]["image_path"]
    Image.open(second).rotate(90).save(second)
    return folder


@pytest.fixture
def bench(run: Command, data: Path, tmp_path: Path) -> Callable[..., Done]:
    """Give a function that runs PIE-Bench into a folder of its own."""

    def on_pie(*more: object, out: str = "out") -> Done:
        words = ("bench", "pie", "--data", data, "--scorers", "clip", "-o", tmp_path / out)
        return run(*words, *more)

    return on_pie


@pytest.fixture
def small(run: Command, data: Path, tmp_path: Path) -> Callable[..., Done]:  # noqa: ARG001  its scorer
    """Give a function that runs TEdBench: three small items, of which two are of one picture."""
    folder = layouts.tedbench(tmp_path / "small")

    def on_tedbench(*more: object) -> Done:
        words = ("bench", "tedbench", "--data", folder, "--scorers", "clip", "-o", tmp_path / "out")
        return run(*words, *more)

    return on_tedbench


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> QuickEditor:
    """Load an editor that needs no time, whatever model is asked for."""
    editor = QuickEditor(made())
    monkeypatch.setattr(ImagicEditor, "from_pretrained", lambda *_, **__: editor)
    return editor


def results(folder: Path, *reds: int) -> Path:
    """Make the folder of somebody's pictures, where the authors' tools look for them."""
    for number, red in enumerate(reds, start=1):
        path = folder / "annotation_images" / "2_add_object_80" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (512, 512), (red, 0, 0)).save(path, quality=100)
    return folder


def test_the_words_of_the_command_line_are_those_that_there_are() -> None:
    """Help is quick since it knows the names alone; they are all of them."""
    assert list(BENCHMARKS) == list(catalogue.BENCHMARKS)
    assert list(SCORERS) == list(catalogue.SCORERS)
    assert list(WEIGHED) == list(catalogue.WEIGHTS)


def test_a_check_counts_and_names_what_is_bad(run: Command, data: Path) -> None:
    """It says what there is by kind; with a bad item, that item, and the code is 2."""
    checked = run("bench", "pie", "--data", data, "--check")
    assert (0, "") == (checked.code, checked.err)
    assert checked.out.startswith("PIE-Bench: 2 items of 2 pictures\n")
    (data / "annotation_images" / "2_add_object_80" / "2.jpg").unlink()

    checked = run("bench", "pie", "--data", data, "--check")

    assert 2 == checked.code
    assert "   1  add object" in checked.out
    assert "bad: 2: cannot read '2.jpg'" in checked.err
    assert "1 items of" in checked.err.splitlines()[-1]


def test_anybodys_pictures_are_scored_and_reported(
    bench: Callable[..., Done], tmp_path: Path
) -> None:
    """Without a model, rows are folders; the report says how many and how sure."""
    theirs = results(tmp_path / "theirs", 100, 200)

    assert 0 == bench("--score", theirs, "--score", f"nobody={theirs}").code

    page = (tmp_path / "out" / "report.md").read_text()
    assert "2 of 2 items" in page
    assert "| theirs | 150.00 [100.00, 200.00] n=2 |" in page
    assert "| nobody | 150.00" in page
    assert "no: 2 of 700 items were edited" in page
    for name in ("best", "worst", "random"):
        with Image.open(tmp_path / "out" / f"sheet-{name}.png") as sheet:
            assert sheet.width > 500


def test_nothing_is_scored_twice(bench: Callable[..., Done], tmp_path: Path) -> None:
    """A line that a stop has cut off is scored again; so is a picture that has changed."""
    theirs, out = results(tmp_path / "theirs", 100, 200), tmp_path / "out"
    bench("--score", theirs, "--stages", "score")
    log = out / "scores.jsonl"
    log.write_text(log.read_text()[:-20])
    assert ["1", "2"] == Red.asked

    bench("--score", theirs, "--stages", "score")
    assert ["1", "2", "2"] == Red.asked
    results(theirs, 10, 200)
    bench("--score", theirs)
    assert ["1", "2", "2", "1"] == Red.asked
    assert 105.0 == json.loads((out / "report.json").read_text())["rows"]["theirs"]["clip"]["value"]


def test_exports_are_where_the_authors_tools_look(
    bench: Callable[..., Done], tmp_path: Path
) -> None:
    """What was exported can be scored as anybody's pictures, with the same result."""
    bench("--score", results(tmp_path / "theirs", 100, 200))

    again = tmp_path / "out" / "exports" / "theirs"

    assert 0 == bench("--score", again, out="again").code
    tables = [(tmp_path / one / "report.md").read_text() for one in ("out", "again")]
    assert tables[0] == tables[1]


def test_own_pictures_are_scored_by_ones_own(run: Command, tmp_path: Path) -> None:
    """A scorer from a module leads the table, alone; the ideal edit is on the sheets."""
    data, theirs = layouts.own(tmp_path / "data"), tmp_path / "theirs"
    for name in ("cat-hat", "dog-old"):
        layouts.picture(theirs / f"{name}.png")
    words = ("bench", "own", "--data", data, "-o", tmp_path / "out", "--score", theirs)

    done = run(*words, "--own-scorer", f"{__name__}:HATS")

    assert 0 == done.code, done.err
    page = (tmp_path / "out" / "report.md").read_text()
    assert "| row | hats ↑ |" in page
    assert "| theirs | 1 [1, 1] n=1 |" in page
    assert "| row | add | any |" in page
    with Image.open(tmp_path / "out" / "sheet-best.png") as sheet:
        assert sheet.width > 3 * 192


@pytest.mark.parametrize("place", ["nowhere:hats", f"{__name__}:caps", f"{__name__}:layouts", "x"])
def test_a_scorer_that_is_none_is_refused(place: str, run: Command, tmp_path: Path) -> None:
    """The sentence says what was asked for."""
    data = layouts.own(tmp_path / "data")

    done = run("bench", "own", "--data", data, "--check", "--own-scorer", place)

    assert 2 == done.code
    assert f"the value was '{place}'" in done.error


def test_both_strengths_are_of_one_fit(
    small: Callable[..., Done], quick: QuickEditor, tmp_path: Path
) -> None:
    """The product is edited by a run: items of one picture share a fit, told apart from edits."""
    asked = ("--model", "demo", "--methods", "imagic_lora,auto,unchanged")

    done = small(*asked, "--edit", "steps=7")

    assert (0, 8) == (done.code, quick.count), done.err
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert ["imagic_lora at 1", "imagic_lora, auto", "unchanged"] == list(report["rows"])
    assert [(2, 3), (2, 3)] == [(c["fits"], c["edits"]) for c in report["costs"].values()]
    assert [] == report["failed"]
    told = "The model is demo, at its defaults but for pictures with steps=7."
    assert told == report["edited"]
    assert f"3 of 3 items. {told}" in (tmp_path / "out" / "report.md").read_text()
    assert (0, 8) == (small(*asked, "--edit", "steps=7").code, quick.count)
    other = small(*asked, "--edit", "steps=8")
    assert (2, 8) == (other.code, quick.count)
    assert "edit.steps 7 where the row asks 8" in other.err


def test_what_fails_is_a_row_with_its_reason(
    small: Callable[..., Done], quick: QuickEditor, tmp_path: Path
) -> None:
    """It stops neither the other items nor the report, and is tried again."""
    quick.failures = {3: ModelError("It went wrong."), 7: ZeroDivisionError("oh")}
    asked = ("--model", "demo", "--methods", "imagic_lora,auto,unchanged")

    done = small(*asked)

    assert 1 == done.code
    assert done.out.startswith("2 pictures failed. ")
    page = (tmp_path / "out" / "report.md").read_text()
    bird, cat = "bird.png-A_photo_of_a_bird_spreading_its_wings", "cat.png-A_cat_wearing_a_hat"
    assert f"| imagic_lora, auto | {bird} | It went wrong. |" in page
    assert f"| imagic_lora at 1 | {cat} | ZeroDivisionError: oh |" in page
    assert 0 == small(*asked).code
    assert "What failed" not in (tmp_path / "out" / "report.md").read_text()


def test_parts_edit_and_one_scores(
    small: Callable[..., Done], quick: QuickEditor, tmp_path: Path
) -> None:
    """Each part edits its own fits alone; what they made together is then scored."""
    asked = ("--model", "demo", "--methods", "imagic_lora,unchanged")

    assert [0, 0] == [small(*asked, "--shard", f"{part}/2").code for part in range(2)]

    assert (5, []) == (quick.count, Red.asked)
    assert (0, 5) == (small(*asked).code, quick.count)
    costs = json.loads((tmp_path / "out" / "report.json").read_text())["costs"]
    assert (2, 3) == (costs["imagic_lora at 1"]["fits"], costs["imagic_lora at 1"]["edits"])


@pytest.mark.usefixtures("tiny")
def test_rivals_are_given_the_same_pictures(
    small: Callable[..., Done],
    folder: Callable[[Kind], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A picture of another size is scaled, whole; each rival paints it once and says what from."""
    few = (Autoencoder(), Img2Img(0.5, steps=2), LeditsPP(steps=4))
    monkeypatch.setattr(rows, "rivals_of", lambda *_: few)
    layouts.picture(tmp_path / "small" / "originals" / "bird.png", (96, 96))
    asked = ("--model", folder("sd1"), "--methods", "autoencoder,img2img,ledits_pp", "--limit", 1)

    done = small(*asked)

    assert 0 == done.code, done.err
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert ["autoencoder", "img2img at 0.5", "ledits_pp"] == list(report["rows"])
    assert [0, 2, 12] == [took["edit_forward"] for took in report["costs"].values()]
    painted = [*(tmp_path / "out" / "rivals").glob("*/00000.png")]
    assert 3 == len(painted)
    for picture in [*(tmp_path / "out" / "inputs").iterdir(), *painted]:
        with Image.open(picture) as image:
            assert (32, 32) == image.size
    assert "/3 " not in small(*asked).err  # no line of a picture


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            ["--score", "theirs"],
            "should have, 1 are missing: annotation_images/2_add_object_80/2.jpg",
        ),
        ([], "there is nothing to score"),
        (["--model", "nowhere"], "there is no model 'nowhere'"),
        (["--score", "a=theirs", "--score", "a=theirs"], "--score names one thing twice"),
        (["--score", "theirs", "--limit", "0"], "allowed is 1 or more"),
        (["--score", "theirs", "--weights", "clop=x"], "name of clip, clip16"),
        (["--score", "theirs", "--limit", "1", "--weights", "clip=x"], "which is no folder"),
        (["--score", "theirs", "--limit", "1", "--stages", "report"], "is scored yet"),
        (["--score", "theirs", "--limit", "1", "--stages", "judge"], "give --judge and"),
        (
            ["--score", "theirs", "--judge", "file:///x"],
            "allowed is 'here', or e.g. http://localhost",
        ),
        (["--score", "theirs", "--judge", "http://x"], "needs both --judge and --judge-model"),
        (["--model", "demo", "--fit", "rnak=3"], "there is no setting 'fit.rnak'"),
        (["--model", "demo", "--edit", "width=64"], "width cannot be given"),
        (["--model", "demo", "--methods", "imagic"], "did you mean 'imagic_lora'?"),
        (["--model", "demo", "--methods", "instruct_pix2pix"], "give one by --instruct-pix2pix"),
        (["--model", "demo", "--instruct-pix2pix", "none"], "which has no 'model_index.json'"),
        (["--model", "demo", "--shard", "2/2"], "the shard was '2/2'"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    more: list[str],
    said: str,
    bench: Callable[..., Done],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A bad value is refused before anything is loaded or made."""
    monkeypatch.setattr("imagic_lora.editor.load_model", lambda *_, **__: pytest.fail("loaded"))
    theirs = results(tmp_path / "theirs", 100)

    done = bench(*(one.replace("theirs", str(theirs)) for one in more))

    assert 2 == done.code
    assert said in done.error.lower()
    assert not (tmp_path / "out").exists()


def test_instructions_need_captions(run: Command, tmp_path: Path) -> None:
    """Where the authors give none, the error says how to give them."""
    folder = layouts.imgedit(tmp_path)

    done = run("bench", "imgedit", "--data", folder, "--model", "demo", "-o", tmp_path / "out")

    assert 2 == done.code
    assert "by --captions" in done.error


def test_a_limit_is_spread_over_the_kinds() -> None:
    """The kinds take turns; what one has too few of is taken from the others."""
    kinds = ("add", "style")

    assert ["0", "4", "1", "5", "2"] == [item.name for item in spread(ITEMS, kinds, 5)]
    assert ITEMS == spread(ITEMS, kinds, None)
