"""What holds for every benchmark's stages: each alone, none twice, and results as authors want them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from benchmarks.edits.methods import Bench
from benchmarks.edits.study import measure
from benchmarks.field import __main__ as command
from benchmarks.field import evaluation as stages
from benchmarks.field import methods
from benchmarks.field.catalogue import BENCHMARKS
from benchmarks.field.evaluation import Evaluation
from benchmarks.field.items import Item
from benchmarks.field.methods import AUTO, METHODS, Product, for_captions, row_name
from benchmarks.field.metrics.base import Pair, Scores
from benchmarks.field.suite import FieldSuite, spread
from benchmarks.world.pipeline import MODEL
from imagic_lora import EditSettings, FitSettings
from imagic_lora.demo import PICTURE, SOURCE, TARGET
from imagic_lora.editing.edits import Edits
from imagic_lora.errors import InputError
from tests.benchmarks.field import layouts

ITEMS = tuple(
    Item(f"{n}", "add" if n < 4 else "style", PICTURE, TARGET, f"{n}.png", source=SOURCE)
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


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder of PIE-Bench with two items, scored by how red they are."""
    monkeypatch.setattr(stages, "SCORERS", {"clip": lambda _: (Red(),)})
    Red.asked.clear()
    rows = {name: layouts.pie_row(name, kind) for name, kind in (("1", "2"), ("2", "5"))}
    return layouts.pie(tmp_path / "data", **rows)


def results(folder: Path, *reds: int) -> Path:
    """Make the folder of somebody's pictures, where the authors' tools look for them."""
    for number, red in enumerate(reds, start=1):
        path = folder / "annotation_images" / "2_add_object_80" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (512, 512), (red, 0, 0)).save(path, quality=100)
    return folder


def run(data: Path, out: Path, *more: str) -> int:
    """Run the command on PIE-Bench."""
    return command.main(["pie", "--data", str(data), "--out", str(out), "--scorers", "clip", *more])


def test_a_check_counts_and_names_what_is_bad(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It prints items by kind; with a bad item, that item, and the code is 2."""
    assert 0 == command.main(["pie", "--data", str(data), "--check"])
    assert "PIE-Bench: 2 items of 2 pictures" in capsys.readouterr().out
    (data / "annotation_images" / "2_add_object_80" / "2.jpg").unlink()

    assert 2 == command.main(["pie", "--data", str(data), "--check"])
    printed = capsys.readouterr().out
    assert "   1  add object" in printed
    assert "bad: 2: cannot read '2.jpg'" in printed


def test_anybodys_pictures_are_scored_and_reported(data: Path, tmp_path: Path) -> None:
    """Without a model, rows are folders; the report says how many and how sure."""
    theirs = results(tmp_path / "theirs", 100, 200)

    assert 0 == run(data, tmp_path / "out", "--score", str(theirs), f"nobody={theirs}")

    page = (tmp_path / "out" / "report.md").read_text()
    assert "2 of 2 items" in page
    assert "| theirs | 150.00 [100.00, 200.00] n=2 |" in page
    assert "| nobody | 150.00" in page
    assert "no: 2 of 700 items were edited" in page
    for name in ("best", "worst", "random"):
        with Image.open(tmp_path / "out" / f"sheet-{name}.png") as sheet:
            assert sheet.width > 500


def test_nothing_is_scored_twice(data: Path, tmp_path: Path) -> None:
    """A line that a stop has cut off is scored again; so is a picture that has changed."""
    theirs, out = results(tmp_path / "theirs", 100, 200), tmp_path / "out"
    run(data, out, "--score", str(theirs), "--stages", "score")
    log = out / "scores.jsonl"
    log.write_text(log.read_text()[:-20])
    assert ["1", "2"] == Red.asked

    run(data, out, "--score", str(theirs), "--stages", "score")
    assert ["1", "2", "2"] == Red.asked
    results(theirs, 10, 200)
    run(data, out, "--score", str(theirs))
    assert ["1", "2", "2", "1"] == Red.asked
    assert 105.0 == json.loads((out / "report.json").read_text())["rows"]["theirs"]["clip"]["value"]


def test_exports_are_where_the_authors_tools_look(data: Path, tmp_path: Path) -> None:
    """What was exported can be scored as anybody's pictures, with the same result."""
    theirs = results(tmp_path / "theirs", 100, 200)
    run(data, tmp_path / "out", "--score", str(theirs))

    again = tmp_path / "out" / "exports" / "theirs"

    assert 0 == run(data, tmp_path / "again", "--score", str(again))
    tables = [(tmp_path / one / "report.md").read_text() for one in ("out", "again")]
    assert tables[0] == tables[1]


def test_exports_are_of_the_size_of_the_inputs_with_what_a_judge_is_given(
    data: Path, tmp_path: Path
) -> None:
    """The judge of UniEditBench is given both pictures, the captions and the row."""
    folder = layouts.uniedit(tmp_path / "uniedit")
    layouts.picture(tmp_path / "ours" / "add" / "animal" / "001.png", (64, 64))
    asked = ["uniedit", "--data", str(folder), "--score", str(tmp_path / "ours")]

    assert 0 == command.main([*asked, "--scorers", "clip", "--out", str(data / "out")])

    (row,) = json.loads((data / "out" / "exports" / "ours" / "metadata.json").read_text())
    with Image.open(row["path"]) as before, Image.open(row["edit_path"]) as after:
        assert before.size == after.size == (row["width"], row["height"])
    assert ("ours", "add a zebra next to the lion") == (row["edit_model"], row["edited_prompt"])


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            ["--score", "theirs"],
            "should have, 1 are missing: annotation_images/2_add_object_80/2.jpg",
        ),
        ([], "there is nothing to score"),
        (["--model", "nowhere"], "the model was 'nowhere', expected is a pipeline folder"),
        (["--score", "a=theirs", "a=theirs"], "--score names 'a' twice"),
        (["--score", "theirs", "--limit", "0"], "there are no items"),
        (["--score", "theirs", "--weights", "clop=x"], "--weights names 'clop', allowed is clip,"),
        (["--score", "theirs", "--limit", "1", "--stages", "report"], "is scored yet"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    more: list[str], said: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing picture is an error that names it, and no silent skip."""
    theirs = results(tmp_path / "theirs", 100)

    assert 2 == run(data, tmp_path / "out", *(one.replace("theirs", str(theirs)) for one in more))
    assert said in capsys.readouterr().err.lower()


def test_results_of_other_settings_are_not_mixed(data: Path, tmp_path: Path) -> None:
    """A folder of results belongs to one size and one set of captions."""
    model = tmp_path / "model"
    model.mkdir()
    made = [
        Evaluation(BENCHMARKS["pie"], data, tmp_path / "out", model=model, side=side)
        for side in (512, 512, 768)
    ]

    assert made[0].run.versions == made[1].run.versions
    with pytest.raises(InputError, match="made with side 512, asked is 768"):
        _ = made[2].run


def test_instructions_need_captions(tmp_path: Path) -> None:
    """Where the authors give none, the error says how to give them."""
    folder = layouts.imgedit(tmp_path)

    with pytest.raises(InputError, match="by --captions"):
        _ = Evaluation(BENCHMARKS["imgedit"], folder, tmp_path / "out").items


def test_a_limit_is_spread_over_the_kinds() -> None:
    """The kinds take turns; what one has too few of is taken from the others."""
    kinds = ("add", "style")

    assert ["0", "4", "1", "5", "2"] == [item.name for item in spread(ITEMS, kinds, 5)]
    assert ITEMS == spread(ITEMS, kinds, None)


def test_every_method_gets_the_same_canvas(tmp_path: Path) -> None:
    """The whole picture is scaled to about the model's area, and nothing of it is cut off."""
    path = layouts.picture(tmp_path / "wide.png", (192, 128))
    wide = Item("wide", "any", path, "a target", "wide.png")
    (case,) = FieldSuite("uniedit", (wide,), MODEL).cases("report", 9)

    assert (640, 448) == case.image.size
    assert ("", "a target", None) == (case.source, case.target, case.ideal)
    with pytest.raises(ValueError, match="no split 'tune'"):
        FieldSuite("uniedit", (wide,), MODEL).cases("tune", 1)


def test_the_product_finds_a_caption_where_there_is_none() -> None:
    """Other methods are as they are."""
    product, other = METHODS["imagic_lora"], METHODS["img2img"]

    assert "found" == for_captions(product, known=False).caption  # type: ignore[attr-defined]
    assert product == for_captions(product, known=True)
    assert other == for_captions(other, known=False)
    assert ["imagic_lora at 1", "imagic_lora, auto", "autoencoder"] == [
        row_name("imagic_lora", "1"),
        row_name("imagic_lora", "inf"),
        row_name("autoencoder", "0"),
    ]


def test_one_fit_serves_the_fixed_and_the_automatic_strength(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are pictures of one record, with passes of their own; the input is a row by itself."""

    def search(edits: Edits, alphas: Sequence[float]) -> SimpleNamespace:
        assert () == alphas
        edits.at([2.0])
        return SimpleNamespace(best=edits.at([3.0])[0])

    monkeypatch.setattr(methods, "search", search)
    suite = FieldSuite("uniedit", ITEMS[:1], MODEL, side=64)
    bench = Bench.load(suite)
    (case,) = suite.cases("report", 1)
    quick = Product(FitSettings(steps=1, batch=1), EditSettings(steps=1))

    record = measure(bench, "imagic_lora", quick, case, tmp_path)
    same = measure(bench, "unchanged", METHODS["unchanged"], case, tmp_path)

    assert ["1", f"{AUTO:g}"] == list(record["edits"])
    assert record["edits"]["inf"][0] > 0
    assert 1 == record["passes_fwd_bwd"]
    assert {"1": {}, "inf": {}} == record["scores"]
    with Image.open(tmp_path / "unchanged" / "0@0.png") as kept:
        assert case.image.tobytes() == kept.tobytes()
    assert 0 == same["edits"]["0"][0]
