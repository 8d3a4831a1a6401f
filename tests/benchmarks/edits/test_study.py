"""What holds for every study: where it stopped it goes on, and the command line says what is run."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from benchmarks.edits import __main__ as command
from benchmarks.edits import study as studies
from benchmarks.edits.measuring import measure, picture_path
from benchmarks.edits.methods import METHODS, Bench
from benchmarks.edits.methods.img2img import Img2Img
from benchmarks.edits.portraits import Split
from benchmarks.edits.studies.automatic import CLEAN
from benchmarks.edits.study import Run, Study
from benchmarks.edits.worlds import Portraits
from benchmarks.world.pipeline import MODEL
from benchmarks.world.worlds import DRAWN, PHOTOGRAPHED
from imagic_lora.bench import lines
from imagic_lora.bench.items import Item
from imagic_lora.bench.metrics.base import Pair, Scores

QUICK = Img2Img(strengths=(0.1,), fixed=0.1)
STUDY = Study("a study", "nothing", {"quick": QUICK, "long": QUICK}, lambda _: {}, slow=("long",))


class Sized:
    """A scorer of one's own."""

    def score(self, pair: Pair) -> Scores:
        """Return how long the prompt is, and how large the picture."""
        return {"clip": len(pair.item.target), "size": pair.after.width}


@dataclass(frozen=True)
class Photos(Portraits):
    """A suite as photos would be: of a case nothing is known but the picture and its prompts."""

    name: str = "photos"

    def items(self, split: Split, count: int, folder: Path) -> tuple[Item, ...]:
        """Return plain grey photos."""
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 64), "grey").save(folder / "grey.png")
        return tuple(
            Item(f"{split}-{n}", "any", folder / "grey.png", "a boy", f"{n}.png", "a girl")
            for n in range(count)
        )


PHOTOS = Photos()


@pytest.fixture(scope="module")
def bench() -> Bench:
    """Give the demo model."""
    return Bench.of(MODEL)


def records(run: Run, *pairs: tuple[str, str]) -> None:
    """Write down that methods have finished cases."""
    run.folder.mkdir(exist_ok=True)
    lines = [
        json.dumps({"method": name, "case": case, "version": run.versions[name]})
        for name, case in pairs
    ]
    run.log.write_text("\n".join(lines) + "\n")


def found(run: Run) -> list[tuple[str, str]]:
    """Return which methods have finished which cases."""
    return [(record["method"], record["case"]) for record in run.records]


def test_methods_need_a_picture_and_prompts_alone(bench: Bench, tmp_path: Path) -> None:
    """A suite that knows no ideal edit is measured, and scored by itself."""
    (case,) = PHOTOS.items("report", 1, tmp_path)

    record = measure(bench, Sized(), "quick", QUICK, case, tmp_path)

    assert {"0.1": {"clip": 5, "size": 64}} == record["scores"]
    assert ("0.1", 0, 0) == tuple(record[key] for key in ("chosen", "passes_fwd_bwd", "bytes"))
    assert 6 == record["passes_fwd"]
    with Image.open(picture_path(tmp_path, "quick", "report-0", 0.1)) as kept:
        assert (64, 64) == kept.size


def test_a_stopped_run_goes_on(tmp_path: Path) -> None:
    """A finished case is found again, unless the method has changed since."""
    run = Run(STUDY, PHOTOS.items("report", 2, tmp_path), tmp_path)
    records(run, ("quick", "report-1"), ("quick", "report-0"), ("long", "report-0"))

    assert [("quick", "report-0"), ("quick", "report-1"), ("long", "report-0")] == found(run)
    changed = replace(STUDY, methods={**STUDY.methods, "quick": Img2Img(guidance=9)})
    assert [("long", "report-0")] == found(replace(run, study=changed))
    assert ["quick", "long"] == list(run.by_method())


def test_a_record_that_a_stop_has_cut_off_is_no_record(tmp_path: Path) -> None:
    """The case is done again, and the record after it is whole."""
    run = Run(STUDY, PHOTOS.items("report", 2, tmp_path), tmp_path)
    records(run, ("quick", "report-0"), ("long", "report-0"))
    run.log.write_text(run.log.read_text()[:-9])
    assert [("quick", "report-0")] == found(run)

    lines.add(run.log, {"method": "long", "case": "report-1", "version": run.versions["long"]})

    assert [("quick", "report-0"), ("long", "report-1")] == found(run)


def test_slow_methods_come_last_and_may_have_fewer_cases(tmp_path: Path) -> None:
    """What was finished of more cases than are wanted now counts all the same."""
    run = Run(replace(STUDY, slow_count=1), PHOTOS.items("report", 2, tmp_path), tmp_path)
    records(run, ("long", "report-1"))

    wanted = [(name, case.name) for name, case in run.wanted]
    assert [("quick", "report-0"), ("quick", "report-1"), ("long", "report-0")] == wanted
    assert [("long", "report-1")] == found(run)


@pytest.mark.parametrize("name", METHODS)
def test_the_fixed_strength_is_one_that_is_tried(name: str) -> None:
    """Strengths rise, and the one that serves all cases is among them."""
    method = METHODS[name]

    assert method.fixed in method.strengths
    assert sorted(method.strengths) == list(method.strengths)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", ("methods", "report", 120, 8)),
        ("--small", ("methods", "report", 8, 8)),
        ("--small --world flow", ("methods", "report", 8, 6)),
        ("--cases 3 --split tune --methods img2img", ("methods", "tune", 3, 1)),
        ("tuning --methods img2img", ("tuning", "tune", 24, 4)),
        ("levers --cases 2", ("levers", "report", 2, 8)),
    ],
)
def test_the_command_says_what_is_run(
    arguments: str, expected: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study has its own defaults; flags change how much of it is done."""
    asked: list[Any] = []
    monkeypatch.setattr(command, "carry_out", lambda study, _: asked.append(study))

    command.main(arguments.split())

    (study,) = asked
    assert expected == (study.name, study.split, study.count, len(study.methods))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("methods --methods img3img", "methods has no method 'img3img'; allowed: imagic_lora, "),
        ("levers --methods int8", "levers compares all of its methods; leave --methods out"),
        ("nothing", "invalid choice: 'nothing'"),
    ],
)
def test_what_cannot_be_run_is_refused(
    arguments: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message says what is allowed."""
    with pytest.raises(SystemExit):
        command.main(arguments.split())

    assert message in " ".join(capsys.readouterr().err.split())


def test_a_study_of_another_world_is_kept_apart() -> None:
    """Its result and its records have names of their own; the drawn world's keep theirs."""
    taken, drawn = (CLEAN.within(world) for world in (PHOTOGRAPHED, DRAWN))

    assert ("automatic-photos", "portraits-photos") == (taken.result, taken.suite.name)
    assert PHOTOGRAPHED == taken.suite.world
    assert CLEAN == drawn


def test_a_study_writes_its_result_then_its_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The result says what was run on what, and the pictures are drawn from it."""
    monkeypatch.setattr(studies, "BUILD", tmp_path)
    monkeypatch.setattr(studies, "work", lambda run, _: run.folder.mkdir(exist_ok=True))
    written: dict[str, Any] = {}
    monkeypatch.setattr(studies, "write_result", written.__setitem__)
    drawn: list[Any] = []

    studies.carry_out(
        replace(
            STUDY,
            suite=PHOTOS,
            summary=lambda run: {"cases": len(run.cases)},
            pictures=lambda _, result: drawn.append(result),
        ),
        1,
    )

    assert [written["nothing"]] == drawn
    assert ("report", 24) == (drawn[0]["split"], drawn[0]["cases"])
    assert "commit" in drawn[0]["environment"]
    assert (tmp_path / "photos" / "a study-report").is_dir()
