"""The product alone, at its defaults: how well it finds the strength, on clean and on worse inputs."""

from typing import Any

from benchmarks.edits.measuring import Record
from benchmarks.edits.methods.imagic import ImagicLora
from benchmarks.edits.rates import mean, perfect
from benchmarks.edits.stress import Stressed
from benchmarks.edits.study import Run, Study
from benchmarks.edits.worlds import PORTRAITS
from imagic_lora.images.reading import open_image

_METHOD = ImagicLora()
_FIXED = f"{_METHOD.fixed:g}"


def summary(run: Run) -> dict[str, Any]:
    """Return rates of all cases and of each kind, without those that nobody could solve.

    Of some worse pictures the judge misreads the ideal edit itself; what it says of edits of those
    says nothing.
    """
    cases = {case.name: case for case in run.cases}
    read = {
        name
        for name, case in cases.items()
        if case.ideal is not None and run.score(case, open_image(case.ideal))["perfect"]
    }
    records = [record for record in run.records if record["case"] in read]
    by_kind = {
        kind: [record for record in records if record["kind"] == kind]
        for kind in run.study.suite.kinds
    }
    return {
        "all": rates(records),
        "by_kind": {kind: rates(some) for kind, some in by_kind.items() if some},
        "left_out": len(cases) - len(read),
        "settings": repr(_METHOD),
    }


def rates(records: list[Record]) -> dict[str, float]:
    """Return the rates of some records at the automatic strength, at 1 and at the best one.

    Args:
        records: At least one.
    """
    at_one = [record["scores"][_FIXED] for record in records]
    chosen = [record["automatic"] for record in records]
    return {
        **perfect(records),
        "perfect_fixed": mean(score["perfect"] for score in at_one),
        "kept": mean(score["kept"] for score in chosen),
        "psnr_outside": mean(score["psnr_outside"] for score in chosen),
        "alpha": mean(float(record["chosen"]) for record in records),
        "passes_edit": mean(record["passes_fwd"] for record in records),
        "seconds_fit": mean(record["seconds_fit"] for record in records),
        "seconds": mean(record["seconds"] for record in records),
    }


CLEAN = Study(
    name="automatic",
    result="automatic",
    methods={"imagic_lora": _METHOD},
    summary=summary,
    suite=PORTRAITS,
)
STRESS = Study(
    name="stress",
    result="stress",
    methods={"imagic_lora": _METHOD},
    summary=summary,
    suite=Stressed(),
)
