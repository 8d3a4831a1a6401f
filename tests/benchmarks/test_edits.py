"""What the edits benchmark rests on: its cases, its scores and its counts."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import captions, reuse
from benchmarks.edits import report, runner, search, sheets, tuning
from benchmarks.edits.cases import FIRST, KINDS, STYLES, Case, make_case, make_cases, make_targets
from benchmarks.edits.figures import RESULT, brief, figures
from benchmarks.edits.figures import captions as captions_table
from benchmarks.edits.figures import reuse as reuse_table
from benchmarks.edits.figures import search as search_table
from benchmarks.edits.figures import tuning as tuning_table
from benchmarks.edits.methods import METHODS, Bench
from benchmarks.edits.methods.img2img import Img2Img
from benchmarks.edits.passes import Passes
from benchmarks.edits.report import curve, summarise
from benchmarks.edits.scores import BEST_PSNR, distance, score
from benchmarks.world import architecture
from benchmarks.world.captions import full_caption, phrase
from benchmarks.world.drawing import draw
from benchmarks.world.judge import WEIGHTS, Judge, save_judge
from benchmarks.world.pipeline import MODEL, export_pipeline
from benchmarks.world.portrait import ATTRIBUTES, Portrait
from benchmarks.world.tokenizer import make_tokenizer
from imagic_lora import EditSettings, FitSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from benchmarks.edits.methods import Method

CASES = [*make_cases("tune", 24), *make_cases("report", 24)]
EACH_CASE = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
CASE = make_case("tune", 0)


class ReadsAs(Judge):
    """A judge that reads the same portrait off every picture."""

    def __init__(self, portrait: Portrait) -> None:
        super().__init__(width=4)
        self.portrait = portrait

    def forward(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return logits that are 1 at the portrait's values."""
        rows = zip(ATTRIBUTES.items(), self.portrait.labels(), strict=True)
        return {
            name: torch.eye(len(values))[label].expand(len(pictures), -1)
            for (name, values), label in rows
        }


class Doubles(torch.nn.Module):
    """A module that returns a tuple, as a denoiser does."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        """Return twice the input."""
        return (2 * x,)


@EACH_CASE
def test_the_ideal_edit_changes_one_attribute(case: Case) -> None:
    """The ideal edit differs from the input in the named attribute alone, and looks different."""
    changed = [n for n in ATTRIBUTES if getattr(case.portrait, n) != getattr(case.ideal, n)]

    assert [case.attribute] == changed
    assert case.portrait.shift == case.ideal.shift
    assert draw(case.portrait).tobytes() != draw(case.ideal).tobytes()


@EACH_CASE
def test_the_prompt_asks_for_the_change(case: Case) -> None:
    """The target names the new value and the source does not."""
    asked = phrase(case.attribute, getattr(case.ideal, case.attribute)).removeprefix("with ")

    assert asked in case.target
    assert asked not in case.source


@EACH_CASE
def test_a_style_says_how_much_is_named(case: Case) -> None:
    """Terse prompts name the subject and the change, full ones all, omitting ones half."""
    named = sum(
        phrase(name, getattr(case.ideal, name)).removeprefix("with ") in case.target
        for name in ATTRIBUTES
    )

    assert {"terse": 2, "full": len(ATTRIBUTES), "omitting": 6}[case.style] == named
    if case.style == "full":
        assert full_caption(case.portrait) == case.source
    if case.style == "terse":
        assert phrase("subject", case.portrait.subject) == case.source


def test_every_kind_comes_in_every_style() -> None:
    """The first 24 cases have all kinds in all styles, and the first 8 all kinds."""
    assert {(k, s) for k in KINDS for s in STYLES} == {(c.kind, c.style) for c in CASES[:24]}
    assert set(KINDS) == {case.kind for case in CASES[:8]}
    assert {"arms", "head"} == {case.attribute for case in CASES if case.kind == "layout"}


def test_a_kind_suits_its_portrait() -> None:
    """Something is added where nothing is worn, removed where something is, moved from rest."""
    for case in CASES:
        if case.kind in ("add", "remove"):
            assert (case.kind == "add") == (case.portrait.accessory == "none")
        if case.kind == "layout":
            assert ("down", "front") == (case.portrait.arms, case.portrait.head)


def test_the_splits_have_nothing_in_common() -> None:
    """Portraits that choose settings are not those that give figures."""
    assert abs(FIRST["tune"] - FIRST["report"]) > 10_000
    assert make_case("tune", 3).portrait != make_case("report", 3).portrait
    assert make_case("tune", 3) == make_case("tune", 3)


def test_the_ideal_edit_is_perfect() -> None:
    """The drawing of the ideal edit scores the most there is."""
    found = score(ReadsAs(CASE.ideal), CASE, draw(CASE.ideal))

    assert (True, 1.0, True, ()) == (found.edited, found.kept, found.perfect, found.lost)
    assert (BEST_PSNR, BEST_PSNR) == (found.psnr_ideal, found.psnr_outside)


def test_the_input_is_kept_but_not_edited() -> None:
    """Giving the input back keeps all and edits nothing."""
    found = score(ReadsAs(CASE.portrait), CASE, draw(CASE.portrait))

    assert (False, 1.0, False) == (found.edited, found.kept, found.perfect)
    assert BEST_PSNR == found.psnr_outside
    assert found.psnr_ideal < BEST_PSNR


def test_what_is_lost_is_named() -> None:
    """An edit that changes another attribute too is not perfect, and says which."""
    background = next(v for v in ATTRIBUTES["background"] if v != CASE.ideal.background)

    found = score(ReadsAs(CASE.ideal.replace(background=background)), CASE, draw(CASE.ideal))

    assert (True, 0.9, False) == (found.edited, found.kept, found.perfect)
    assert ("background",) == found.lost


def test_only_what_should_stay_counts_outside() -> None:
    """A spot counts outside the region of the edit, and does not count inside it."""
    before, ideal = (np.array(draw(p), int) for p in (CASE.portrait, CASE.ideal))
    inside = np.abs(before - ideal).max(axis=2) > 40
    for spots, hurt in ((inside, False), (~inside & (before.max(axis=2) > 100), True)):
        spotted = ideal.copy()
        spotted[spots] = 0
        picture = Image.fromarray(spotted.astype(np.uint8))

        assert hurt == (score(ReadsAs(CASE.ideal), CASE, picture).psnr_outside < BEST_PSNR)


def test_distance_grows_with_the_difference_to_see() -> None:
    """Equal pictures are at no distance; another shape is further away than another light."""
    judge, picture = Judge().eval(), draw(CASE.portrait)
    lighter = Image.fromarray((np.array(picture) * 0.97).astype(np.uint8))
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)

    near, far = (distance(judge, picture, one) for one in (lighter, Image.fromarray(noise)))

    assert 0 == distance(judge, picture, picture)
    assert 0 < near < far / 4


def test_passes_are_counted_by_what_happens() -> None:
    """Samples without a gradient count as forward, those whose gradient came back as both."""
    passes, module = Passes(), Doubles()
    passes.watch(module)

    module(torch.ones(3, 1))
    assert Passes(forward=3) == passes.take()
    (output,) = copy.deepcopy(module)(torch.ones(2, 1, requires_grad=True))
    assert Passes(forward=2) == passes
    output.sum().backward()
    assert Passes(forward_backward=2) == passes.take()
    assert Passes() == passes


@pytest.mark.parametrize("name", METHODS)
def test_the_fixed_strength_is_one_that_is_tried(name: str) -> None:
    """Strengths rise, and the one that serves all cases is among them."""
    method = METHODS[name]

    assert method.fixed in method.strengths
    assert sorted(method.strengths) == list(method.strengths)


def _scores(*, perfect: bool, kept: float = 1.0) -> Mapping[str, Any]:
    return {
        "edited": perfect,
        "kept": kept,
        "perfect": perfect,
        "psnr_ideal": 20.0,
        "psnr_outside": 30.0,
    }


def _record(style: str, *perfect: bool) -> dict[str, Any]:
    costs = {"passes_fwd": 10, "passes_fwd_bwd": 4, "seconds_fit": 1, "seconds": 2, "bytes": 8}
    rated = {"distance_ideal": 0.1}
    scores = {str(n): _scores(perfect=each) for n, each in enumerate(perfect, start=1)}
    return {"style": style, "scores": scores, "chosen": "1", **costs, **rated}


def test_rates_are_of_cases() -> None:
    """Best counts a case that is perfect at any strength, fixed at the one, omit its own style."""
    records = [
        _record("terse", True, False),
        _record("omitting", False, True),
        _record("full", False, False),
        _record("omitting", False, False),
    ]

    found = summarise(records, fixed=2)

    assert (0.5, 0.25, 0.5) == tuple(
        found[name] for name in ("perfect_best", "perfect_fixed", "perfect_omit")
    )
    assert found["perfect_auto"] == 0.25
    assert [0.25, 0.25] == [point["perfect"] for point in curve(records)]
    assert summarise(records[:1], fixed=1)["perfect_omit"] is None


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Give the folder of an untrained demo model."""
    tokenizer = make_tokenizer()
    text = architecture.make_text_encoder(
        len(tokenizer), tokenizer.bos_token_id, tokenizer.eos_token_id
    )
    vae, unet = architecture.make_vae(), architecture.make_unet()
    export_pipeline(vae, text, tokenizer, unet, tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_a_stopped_run_goes_on(model: Path, tmp_path: Path) -> None:
    """A finished case is found again, unless the method or the model has changed since."""
    save_judge(Judge(), tmp_path / "judge.safetensors")
    bench = Bench.load(model, tmp_path / "judge.safetensors")
    method = Img2Img(strengths=(0.1,), fixed=0.1)
    run = runner.Run(
        tmp_path, {"img2img": method, "full_unet": METHODS["full_unet"]}, (CASE,), model
    )
    record = runner.measure(bench, "img2img", method, CASE, tmp_path)
    assert (0, 6) == (record["passes_fwd_bwd"], record["passes_fwd"])
    assert record["chosen"] == "0.1"
    assert runner.picture_path(tmp_path, "img2img", CASE.name, 0.1).exists()

    run.log.write_text(json.dumps({"version": run.version("img2img"), **record}) + "\n")

    assert ["img2img"] == [found["method"] for found in run.records()]
    changed = {"img2img": Img2Img(strengths=(0.2,), fixed=0.2)}
    assert [] == replace(run, methods=changed).records()


def test_results_become_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records give a result file, tables that name every method, sheets and a plot."""
    monkeypatch.setattr(sheets, "RESULTS", tmp_path)
    monkeypatch.setattr(report, "write_result", lambda _, result: written.append(result))
    written: list[dict[str, Any]] = []
    cases = make_cases("tune", 4)
    records = []
    for name in ("imagic_lora", "img2img"):
        strengths = METHODS[name].strengths
        for case in cases:
            scores = {f"{s:g}": _scores(perfect=s < 1) for s in strengths}
            told = {"method": name, "case": case.name, "kind": case.kind, "scores": scores}
            told["chosen"] = f"{strengths[0]:g}"
            records.append({**_record(case.style), **told})
            path = runner.picture_path(tmp_path, name, case.name, METHODS[name].fixed)
            path.parent.mkdir(exist_ok=True)
            draw(case.ideal).save(path)
    ceiling = dict.fromkeys(
        (
            "judge_on_ideal",
            "judge_on_reconstructed_ideal",
            "psnr_reconstructed_ideal",
            "distance_unedited_to_ideal",
        ),
        1.0,
    )

    report.write_report(
        "tune", report.with_distances(Judge(), records, cases, tmp_path), ceiling, cases
    )
    sheets.write_sheets(records, cases, tmp_path)
    sheets.write_curves(records)

    (result,) = written
    assert ["imagic_lora", "img2img"] == list(result["methods"])
    assert result["shared"] == result["methods"]
    assert set(KINDS[:4]) == {kind for kind, found in result["by_kind"].items() if found}
    assert all(f"| `{name}` |" in figures(result) for name in result["methods"])
    for name in ("random", "best", "worst", "curves"):
        assert (tmp_path / f"edits-{name}.png").stat().st_size > 1000


def _rigged(best: Method) -> Callable[[runner.Run, int], list[dict[str, Any]]]:
    """Return a runner under which one method alone succeeds, at strengths above 0.6."""

    def ran(what: runner.Run, processes: int) -> list[dict[str, Any]]:
        assert processes == 1
        return [
            {**_record(case.style), "case": case.name, "scores": scores, "chosen": chosen}
            | {"method": name}
            for name, method in what.methods.items()
            for case in what.cases
            for scores in [
                {f"{s:g}": _scores(perfect=method == best and s > 0.6) for s in method.strengths}
            ]
            for chosen in [list(scores)[-1]]
        ]

    return ran


def test_the_best_settings_of_a_baseline_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Candidates are rated by the one strength that serves them best, then put in order."""
    written: list[dict[str, Any]] = []
    monkeypatch.setattr(tuning, "run", _rigged(Img2Img(guidance=5.0)))
    monkeypatch.setattr(tuning, "write_result", lambda _, result: written.append(result))

    tuning.main(["--cases", "3", "--methods", "img2img", "--processes", "1"])

    first, *others = written[0]["methods"]["img2img"]
    assert ("guidance 5", 3, 1, 0.7) == tuple(
        first[key] for key in ("settings", "cases", "perfect_fixed", "fixed_strength")
    )
    assert {0} == {other["perfect_best"] for other in others}
    assert "| `img2img` | guidance 5 | 3 | 100 % | 100 % | 100 % at 0.7 |" in tuning_table(
        written[0]
    )


@pytest.mark.parametrize("same", [True, False])
def test_methods_of_fewer_cases_are_compared_on_those(*, same: bool) -> None:
    """The tables say how methods do on the same cases, where they do not show that."""
    result = json.loads(RESULT.read_text())
    edited = result["cases"] if same else result["cases"] - 1
    for rates in ("methods", "shared"):
        result[rates]["full_unet"]["cases"] = edited

    for text in (figures(result), brief(result)):
        assert same == ("cases that every method edited" not in text)


@pytest.mark.parametrize("index", range(8))
def test_targets_of_one_portrait_differ_in_what_they_change(index: int) -> None:
    """They are edits of one input, each of another kind, and what wears nothing loses nothing."""
    edits = make_targets("report", index, 5)

    assert 5 == len({edit.kind for edit in edits}) == len({edit.name for edit in edits})
    assert {(edits[0].portrait, edits[0].target)} == {(one.portrait, one.first) for one in edits}
    for edit in edits:
        changed = [n for n in ATTRIBUTES if getattr(edit.portrait, n) != getattr(edit.ideal, n)]
        assert [edit.attribute] == changed


def test_one_fit_is_compared_with_a_fit_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both edit the same five targets of each portrait."""
    written: list[dict[str, Any]] = []
    monkeypatch.setattr(tuning, "run", _rigged(reuse.METHODS["one fit"]))
    monkeypatch.setattr(reuse, "write_result", lambda _, result: written.append(result))
    drawn: list[Any] = []
    monkeypatch.setattr(reuse, "write_sheet", lambda *given: drawn.append(given))

    reuse.main(["--portraits", "2", "--processes", "1"])

    (_, _, shown, _, _), *_ = drawn
    assert make_targets("report", 0, 5) == shown
    editor = SimpleNamespace(fit=lambda _, **given: given["target"])
    bench: Any = SimpleNamespace(editor=editor)
    first, other = make_targets("report", 0, 2)
    each, once = (
        reuse.METHODS[name].prepare(bench, other) for name in ("a fit for each", "one fit")
    )
    assert (other.target, first.target) == (each, once)
    table = reuse_table(written[0])
    assert "| a fit for each | 10 | 0 % | 0 % |" in table
    assert "| one fit | 10 | 100 % | 100 % |" in table


def test_an_edit_from_the_caption_loses_what_its_target_does_not_name() -> None:
    """The same fit gives other pictures by the product's rule, and the rule is back afterwards."""
    bench, (case, *_) = Bench.load(MODEL, WEIGHTS), make_targets("report", 0, 1)
    settings = {"fitting": FitSettings(steps=2), "editing": EditSettings(steps=2)}
    kept, lost = (
        replace(reuse.METHODS[name], **settings)  # type: ignore[type-var]
        for name in ("hair and ears captioned", "hair and ears captioned, from the caption")
    )
    fitted = kept.prepare(bench, case)
    assert fitted.record.source == "a girl with blue hair and cat ears"

    pictures = [one.edit(bench, case, fitted, 1.0).tobytes() for one in (kept, lost, kept)]

    assert pictures[0] == pictures[2] != pictures[1]


def test_the_search_changes_one_setting_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variant differs from the defaults, and all of them edit the same cases."""
    written: list[dict[str, Any]] = []
    first, *others = search.VARIANTS.values()
    monkeypatch.setattr(tuning, "run", _rigged(others[-1]))
    monkeypatch.setattr(search, "write_result", lambda _, result: written.append(result))

    search.main(["--cases", "2", "--processes", "1"])

    assert len({*map(repr, others)} - {repr(first)}) == len(others)
    assert [0] * len(others) + [1] == [one["perfect_best"] for one in written[0]["variants"]]
    assert "| the defaults | 2 | 0 % | 0 % |" in search_table(written[0])


def test_captions_are_compared_and_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found is the part of the target that is true of the picture."""
    written: list[dict[str, Any]] = []
    monkeypatch.setattr(tuning, "run", _rigged(captions.METHODS["written"]))
    monkeypatch.setattr(captions, "write_result", lambda _, result: written.append(result))

    captions.main(["--cases", "1", "--processes", "1"])

    (found,) = written[0]["found"]
    assert found["target"] != found["found"]
    assert set(found["found"].split()) <= set(found["target"].split())
    table = captions_table(written[0])
    assert "| written | 1 | 100 % | 100 % |" in table
    assert f"| {found['written']} | {found['target']} | {found['found']} |" in table
