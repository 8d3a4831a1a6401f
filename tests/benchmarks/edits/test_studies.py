"""What each study makes of finished cases: a result, the docs' table of it, and pictures."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from benchmarks import figures as tables
from benchmarks.edits import figures
from benchmarks.edits import sheets as drawing
from benchmarks.edits.measuring import Record, measure, picture_path
from benchmarks.edits.methods import METHODS, Bench, Method
from benchmarks.edits.methods.img2img import Img2Img
from benchmarks.edits.portraits import KINDS, make_targets
from benchmarks.edits.rates import curve, rate
from benchmarks.edits.stress import STRESSES, Stressed
from benchmarks.edits.studies import (
    automatic,
    captions,
    comparison,
    lever_quality,
    ranks,
    reuse,
    search,
    tuning,
)
from benchmarks.edits.study import Run, Study
from benchmarks.edits.worlds import PORTRAITS
from benchmarks.environment import RESULTS, describe
from benchmarks.world.pipeline import MODEL
from benchmarks.world.portrait import ATTRIBUTES
from imagic_lora import EditSettings, FitSettings
from imagic_lora.bench.items import Item
from imagic_lora.bench.metrics.base import Pair
from imagic_lora.bench.rivals.plain import Autoencoder
from imagic_lora.bench.suites import own
from imagic_lora.images.reading import open_image


def scores(*, perfect: bool) -> Mapping[str, Any]:
    """Return the scores of one picture."""
    nearness = {"psnr_ideal": 20.0, "psnr_outside": 30.0}
    return {"edited": perfect, "kept": 1.0, "perfect": perfect, **nearness}


def record(name: str, case: Item, *perfect: tuple[float, bool]) -> Record:
    """Return what came of a case at some strengths; the last one is found."""
    by_strength = {f"{strength:g}": scores(perfect=good) for strength, good in perfect}
    costs = {"passes_fwd": 10, "passes_fwd_bwd": 4, "seconds_fit": 1, "seconds": 2, "bytes": 8}
    told = {"method": name, "case": case.name, "kind": case.kind, "gap": 0.5}
    told["style"] = case.notes["style"]
    last = list(by_strength)[-1]
    told |= {"scores": by_strength, "chosen": last, "automatic": by_strength[last]}
    return {**told, **costs}


@pytest.fixture
def finished(tmp_path: Path) -> Callable[..., Run]:
    """Give what finishes a study: one method alone succeeds, at strengths above 0.6."""

    def finish(study: Study, best: Method, count: int) -> Run:
        study = replace(study, count=count, slow_count=count)
        folder = tmp_path / study.name
        run = Run(study, study.suite.items(study.split, count, folder / "cases"), folder)
        lines = []
        for name, case in run.wanted:
            method = study.methods[name]
            good = [(s, method == best and s > 0.6) for s in method.strengths]
            lines.append({**record(name, case, *good), "version": run.versions[name]})
            for strength in method.strengths:
                path = picture_path(run.folder, name, case.name, strength)
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(case.picture, path)
        run.log.write_text("\n".join(map(json.dumps, lines)) + "\n")
        return run

    return finish


def result(run: Run) -> dict[str, Any]:
    """Return what a study writes."""
    return {
        "split": run.study.split,
        **run.study.summary(run),
        "environment": describe(),
    }


def test_rates_are_of_cases(tmp_path: Path) -> None:
    """Best counts a case that is perfect at any strength, fixed at the one, omit its own style."""
    cases = PORTRAITS.items("tune", 3, tmp_path)  # terse, full, omitting
    order = (0, 2, 1, 2)
    perfect = ((True, False), (False, True), (False, False), (False, False))
    found = [
        {**record("any", cases[n], *zip((2, 1), two[::-1], strict=True)), "distance_ideal": 0.1}
        for n, two in zip(order, perfect, strict=True)
    ]

    summed = comparison.summarise(found, fixed=2)

    assert (0.5, 0.25, 0.5, 0.25) == tuple(
        summed[f"perfect_{name}"] for name in ("best", "fixed", "omit", "auto")
    )
    assert [0.25, 0.25] == [point["perfect"] for point in curve(found)]
    assert 0.25 == rate(found)["perfect_fixed"]
    assert comparison.summarise(found[:1], fixed=1)["perfect_omit"] is None


@pytest.fixture
def compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """Give a comparison of two methods, whose results are kept for the test alone."""
    for module in (drawing, comparison):
        monkeypatch.setattr(module, "RESULTS", tmp_path)
    # The autoencoder's own faults are not at issue.
    monkeypatch.setattr(Autoencoder, "open", lambda *_: lambda picture, _: picture)
    methods = {name: METHODS[name] for name in ("imagic_lora", "img2img")}
    return replace(comparison.STUDY, methods=methods)


def test_results_of_all_methods_become_pages(
    finished: Callable[..., Run], compared: Study, tmp_path: Path
) -> None:
    """Records give tables that name every method, sheets and a plot."""
    methods = compared.methods

    run = finished(compared, methods["imagic_lora"], 4)
    found = result(run)
    comparison.write_pictures(run, found)

    assert list(methods) == list(found["methods"])
    assert found["shared"] == found["methods"]
    assert set(KINDS[:4]) == {kind for kind, own in found["by_kind"].items() if own}
    assert 60 == found["ceiling"]["psnr_reconstructed_ideal"]
    assert all(f"| `{name}` |" in figures.figures(found) for name in methods)
    for name in ("random", "best", "worst", "curves"):
        assert (tmp_path / f"edits-{name}.png").stat().st_size > 1000


def test_what_is_run_anew_is_compared_on_the_cases_that_a_baseline_has(
    finished: Callable[..., Run], compared: Study, tmp_path: Path
) -> None:
    """A baseline that was measured before, on fewer cases, says on which all are compared."""
    product = METHODS["imagic_lora"]
    before = result(finished(compared, product, 4))
    for part in ("methods", "shared"):
        before[part]["img2img"]["cases"] = 2
    (tmp_path / "edits.json").write_text(json.dumps(before))
    alone = replace(compared, methods={"imagic_lora": product})

    found = result(finished(alone, product, 4))

    assert 4 == found["methods"]["imagic_lora"]["cases"]
    assert 2 == found["shared"]["imagic_lora"]["cases"] == found["shared"]["img2img"]["cases"]


def test_a_baseline_keeps_its_figures() -> None:
    """What was left out is taken from the result that is there, of as many cases, with its commit."""
    before = json.loads((RESULTS / "edits.json").read_text())
    parts = ("methods", "shared", "curves", "settings")
    fresh = {
        **{part: {"imagic_lora": before[part]["imagic_lora"]} for part in parts},
        "by_kind": {
            kind: {"imagic_lora": own["imagic_lora"]} for kind, own in before["by_kind"].items()
        },
        "cases": before["cases"],
    }

    found = comparison.with_others(fresh, before)

    assert all(before[part] == found[part] for part in (*parts, "by_kind"))
    assert {*before["methods"]} - {"imagic_lora"} == found["earlier"].keys()
    text = figures.figures({**before, **found})
    assert "Measured before, on the same cases, at commit" in text
    assert fresh == comparison.with_others(fresh, {**before, "cases": before["cases"] - 1})


@pytest.mark.parametrize("same", [True, False])
def test_methods_of_fewer_cases_are_compared_on_those(*, same: bool) -> None:
    """The tables say how methods do on the same cases, where they do not show that."""
    found = json.loads((RESULTS / "edits.json").read_text())
    edited = found["cases"] if same else found["cases"] - 1
    for rates in ("methods", "shared"):
        found[rates]["full_unet"]["cases"] = edited

    for text in (figures.figures(found), figures.brief(found)):
        assert same == ("cases that every method edited" not in text)


def test_the_best_settings_of_a_baseline_come_first(finished: Callable[..., Run]) -> None:
    """Candidates are rated by the one strength that serves them best, then put in order."""
    candidates = {n: m for n, m in tuning.METHODS.items() if n.startswith("img2img")}
    study = replace(tuning.STUDY, methods=candidates)

    found = result(finished(study, Img2Img(guidance=5.0), 3))

    first, *others = found["methods"]["img2img"]
    assert ("guidance 5", 3, 1, 0.7) == tuple(
        first[key] for key in ("settings", "cases", "perfect_fixed", "fixed_strength")
    )
    assert {0} == {other["perfect_best"] for other in others}
    row = "| `img2img` | guidance 5 | 3 | 100 % | 100 % | 100 % at 0.7 |"
    assert row in figures.tuning(found)


def test_the_search_changes_one_setting_at_a_time(finished: Callable[..., Run]) -> None:
    """Every variant differs from the defaults, and all of them edit the same cases."""
    first, *others = search.VARIANTS.values()

    found = result(finished(search.STUDY, others[-1], 2))

    assert len({*map(repr, others)} - {repr(first)}) == len(others)
    assert [0] * len(others) + [1] == [one["perfect_best"] for one in found["variants"]]
    assert "| the defaults | 2 | 0 % | 0 % |" in figures.search(found)


def test_captions_are_compared_and_shown(
    finished: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the rates stand the caption that was written and the one that was found."""
    editor = SimpleNamespace(caption=lambda _, target: target.split(" with")[0])
    monkeypatch.setattr(Run, "bench", SimpleNamespace(editor=editor))

    found = result(finished(captions.STUDY, captions.STUDY.methods["written"], 1))

    (shown,) = found["found"]
    table = figures.captions(found)
    assert "| written | 1 | 100 % | 100 % |" in table
    assert f"| {shown['written']} | {shown['target']} | {shown['found']} |" in table


def test_one_fit_is_compared_with_a_fit_for_each(
    finished: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both edit the same five targets of each portrait."""
    monkeypatch.setattr(drawing, "RESULTS", tmp_path)
    methods = reuse.STUDY.methods

    run = finished(reuse.STUDY, methods["one fit"], 2)
    found = result(run)
    reuse.write_pictures(run, found)

    bench: Any = SimpleNamespace(
        editor=SimpleNamespace(fit=lambda _, **given: (given["target"], given.get("source")))
    )
    first, other, *_ = run.cases
    fitted: Any = methods  # every one of them is the product itself, which fits
    each, once = (fitted[name].fit(bench, other) for name in ("a fit for each", "one fit"))
    assert ((other.target, None), (first.target, None)) == (each, once)
    assert 2 == found["portraits"]
    assert "| a fit for each | 10 | 0 % | 0 % |" in figures.reuse(found)
    assert "| one fit | 10 | 100 % | 100 % |" in figures.reuse(found)
    assert (tmp_path / "reuse.png").stat().st_size > 1000


@pytest.fixture(scope="module")
def bench() -> Bench:
    """Give the demo model."""
    return Bench.of(MODEL)


@pytest.fixture
def portrait(tmp_path: Path) -> Item:
    """Give one edit of a portrait with several."""
    row = make_targets("report", 0, 1)[0].write(tmp_path)
    (tmp_path / own.LIST).write_text(json.dumps([row]))
    (item,) = own.load(tmp_path).items
    return item


def test_a_fit_is_told_what_its_study_names(bench: Bench, portrait: Item) -> None:
    """The caption names hair and ears, whatever the prompt of the edit is about."""
    methods: Mapping[str, Any] = reuse.STUDY.methods
    named = replace(methods["hair and ears captioned"], fitting=FitSettings(steps=2))

    assert "a girl with blue hair and cat ears" == named.fit(bench, portrait).record.source


def test_a_smaller_adapter_is_a_fit_of_its_own(bench: Bench, portrait: Item) -> None:
    """Fewer layers or half the bytes make a smaller file; the model keeps its own layers."""
    before = bench.editor.model.traits
    short = FitSettings(steps=1)

    whole, attention, half, words = (
        replace(one, fitting=short).fit(bench, portrait)
        for one in (
            ranks.Sized(),
            ranks.Sized(targets=ranks.ATTENTION),
            ranks.Sized(share=2),
            ranks.Sized(exported=True),
        )
    )

    size = len(whole.to_bytes())
    assert len(attention.to_bytes()) < size
    assert len(half.to_bytes()) <= size // 2
    assert not words.conditioning.equal(whole.conditioning)
    assert all(".attn" in name for name in attention.ranks())
    assert before == bench.editor.model.traits


def test_an_adapters_size_is_shown_beside_its_worth(
    finished: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every variant has a row in its group; pictures that equal the input are recalled best."""
    monkeypatch.setattr(ranks, "sizes", lambda: {"sd15": {"default": 4e6, "compact": 2e6}})

    found = result(finished(ranks.STUDY, ranks.Sized(), 1))

    assert {60.0} == {one["recall"] for group in found["groups"].values() for one in group.values()}
    assert ["ranks", "layers", "shrunk", "words"] == list(found["groups"])
    assert "| rank 4 | 0 | 100 % | 100 % | 100 % |" in tables.ranks(found)


def test_what_a_lever_costs_is_measured_on_cases(bench: Bench, tmp_path: Path) -> None:
    """A fit's loss, an edit's scores, and how near it is to the edit without the lever."""
    quick = {"fitting": FitSettings(steps=1, rank=1), "editing": EditSettings(steps=2, focus=0)}
    methods = {
        name: replace(lever_quality.STUDY.methods[name], **quick)  # type: ignore[type-var]
        for name in ("float32", "streaming")
    }
    study = replace(lever_quality.STUDY, methods=methods, count=1)
    run = Run(study, PORTRAITS.items("report", 1, tmp_path / "cases"), tmp_path)
    lines = [
        {
            **measure(bench, PORTRAITS.scorer, name, method, run.cases[0], tmp_path),
            "version": run.versions[name],
        }
        for name, method in methods.items()
    ]
    run.log.write_text("\n".join(map(json.dumps, lines)) + "\n")

    found = result(run)

    plain, streamed = found["variants"].values()
    assert 60 == plain["psnr_to_float32"]
    assert streamed["psnr_to_float32"] > 40
    assert streamed["gap_difference"] < 0.01
    assert "| float32 | 1 |" in tables.lever_quality(found)


def test_rounding_to_8_bit_floats_leaves_the_first_layer_alone() -> None:
    """Every other weight is near what it was, on a grid with one scale for each output channel."""
    layers = nn.ModuleDict({"conv_in": nn.Linear(8, 8), "inner": nn.Linear(8, 8)})
    before = {name: tensor.clone() for name, tensor in layers.state_dict().items()}

    lever_quality.round_to_float8(layers)

    after = layers.state_dict()
    assert torch.equal(before["conv_in.weight"], after["conv_in.weight"])
    error = (before["inner.weight"] - after["inner.weight"]).abs()
    assert 0 < error.max() <= before["inner.weight"].abs().max() / 16


@pytest.mark.parametrize("study", [automatic.CLEAN, automatic.STRESS])
def test_the_product_alone_is_rated_at_the_strength_it_finds(
    study: Study, finished: Callable[..., Run]
) -> None:
    """Beside the automatic strength stand alpha 1 and the best, in all and for each kind."""
    (method,) = study.methods.values()

    found = result(finished(study, method, 9))

    rated = found["all"]["cases"]
    assert 9 == rated + found["left_out"]
    assert rated == sum(own["cases"] for own in found["by_kind"].values()) > 0
    assert (1, 1, 1) == tuple(found["all"][f"perfect_{n}"] for n in ("auto", "fixed", "best"))
    assert max(method.strengths) == found["all"]["alpha"]
    assert f"| all | {rated} | 100 % | 100 % | 100 % |" in figures.automatic(found)


def test_a_stress_changes_input_and_ideal_alike() -> None:
    """Where the ideal edit changes nothing, its stressed picture is the input's."""
    plain, stressed = PORTRAITS.cases("tune", 40), Stressed().cases("tune", 40)

    for before, after in zip(plain, stressed, strict=True):
        assert after.image.tobytes() != before.image.tobytes()
        assert after.image.tobytes() != after.ideal.tobytes()
        assert after.kind == "inverted" or after.target == before.target
    assert set(STRESSES) == {case.kind for case in stressed}
    noisy = next(case for case in stressed if case.kind == "noise")
    corner = (0, 0, 8, 8)
    assert noisy.image.crop(corner).tobytes() == noisy.ideal.crop(corner).tobytes()


def test_no_colour_is_named_where_none_is_left_as_it_is_called() -> None:
    """Of an inverted picture, neither what it shows nor what is asked for."""
    colours = {value for name in ("hair", "eyes", "clothes") for value in ATTRIBUTES[name]}
    inverted = [case for case in Stressed().cases("tune", 88) if case.kind == "inverted"]

    assert 5 <= len(inverted)
    for case in inverted:
        assert not colours & set(f"{case.source} {case.target}".replace(",", "").split())
        assert case.attribute not in ("hair", "clothes", "background")


def test_a_judge_is_shown_an_inverted_picture_the_right_way_round(tmp_path: Path) -> None:
    """So the ideal edit of one is perfect to it, and the input is not."""
    suite = Stressed()
    item = next(item for item in suite.items("tune", 44, tmp_path) if item.kind == "inverted")
    assert item.ideal is not None

    ideal, left = (
        suite.scorer.score(Pair.of(item, open_image(picture)))
        for picture in (item.ideal, item.picture)
    )

    assert (True, 60.0) == (ideal["perfect"], ideal["psnr_ideal"])
    assert not left["edited"]
