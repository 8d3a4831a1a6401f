"""The demo, with few steps; `.ci/run` makes the whole one and looks at how well it fitted."""

import io
import json
import sys
from dataclasses import asdict, dataclass
from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest

import imagic_lora
from imagic_lora import (
    Adapter,
    EditSettings,
    FitSettings,
    ImagicEditor,
    SamplingSettings,
    demo,
)
from imagic_lora.cli.main import main
from imagic_lora.images.png import read_record
from imagic_lora.images.reading import open_image
from tests.support.command import Command, runner

FIT, EDIT = FitSettings(steps=4), EditSettings(steps=2)
BASELINE = SamplingSettings(steps=4)


@dataclass(frozen=True)
class Made:
    """One run of the demo: its exit code, what it said, and where it wrote."""

    code: int
    said: str
    shown: str
    out: Path

    @property
    def report(self) -> dict[str, Any]:
        """What the demo reports."""
        report: dict[str, Any] = json.loads((self.out / "report.json").read_text())
        return report


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Give one run of the demo on the bundled model and picture, shared by the tests."""
    out = tmp_path_factory.mktemp("demo") / "new" / "imagic-demo"
    said, shown = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", said)
        patch.setattr(sys, "stderr", shown)
        patch.setattr(ImagicEditor, "fit", partialmethod(ImagicEditor.fit, settings=FIT))
        patch.setattr(ImagicEditor, "edit", partialmethod(ImagicEditor.edit, settings=EDIT))
        shorter = partialmethod(ImagicEditor.img2img, settings=BASELINE)
        patch.setattr(ImagicEditor, "img2img", shorter)
        code = main(["demo", "--out", str(out)])
    return Made(code, said.getvalue(), shown.getvalue(), out)


def test_the_demo_writes_four_files(made: Made) -> None:
    """Input, adapter, sweep and report, and nothing else."""
    assert 0 == made.code
    names = {"input.png", "adapter.safetensors", "sweep.png", "report.json"}
    assert names == {path.name for path in made.out.iterdir()}


def test_the_demo_says_what_it_did_and_where_to_look(made: Made) -> None:
    """It ends with plain words: the files, the prompts, and a next command."""
    for words in ("input.png", "adapter.safetensors", "sweep.png", "report.json"):
        assert str(made.out / words) in made.said
    assert demo.TARGET in made.said
    assert f'imagic-lora edit {made.out}/adapter.safetensors --target "{demo.NEXT_TARGET}"' in (
        made.said
    )


def test_the_demo_shows_its_progress(made: Made) -> None:
    """The fit and every picture of the sweep and the baseline are shown."""
    assert "fit " in made.shown
    for alpha in demo.ALPHAS:
        assert f"alpha {alpha:g}: sample " in made.shown
    for strength in demo.STRENGTHS:
        assert f"img2img, strength {strength:g}: sample " in made.shown


def test_the_demos_adapter_is_one_like_any_other(made: Made) -> None:
    """It loads, names the bundled model, and has begun to learn the picture."""
    adapter = Adapter.load(made.out / "adapter.safetensors")

    assert ("demo", demo.SOURCE, demo.TARGET) == (
        adapter.record.base_model,
        adapter.record.source,
        adapter.record.target,
    )
    assert adapter.record.gap is not None
    assert adapter.record.gap < 1


def test_the_demos_report_agrees_with_its_files(made: Made) -> None:
    """Steps, seconds, peak memory, adapter size, losses, versions and seed, as they were."""
    report = made.report
    adapter = Adapter.load(made.out / "adapter.safetensors")

    assert len(adapter.record.losses) == report["steps"] == len(report["losses"])
    assert list(adapter.record.losses) == report["losses"]
    assert (made.out / "adapter.safetensors").stat().st_size == report["adapter_bytes"]
    assert adapter.sha256 == report["adapter_sha256"]
    assert (FIT.seed, asdict(FIT)) == (report["seed"], report["fit"])
    assert FIT == adapter.record.settings
    assert imagic_lora.__version__ == report["versions"]["imagic-lora"]
    parts = [report["seconds"][name] for name in ("load", "fit", "edit", "img2img")]
    assert 0 < sum(parts) <= report["seconds"]["all"] + 0.1
    assert 50e6 < report["peak_bytes"] < 64e9


def test_the_demos_sweep_goes_past_the_prompt(made: Made) -> None:
    """The upper row goes from alpha 0 past 1.5, the lower one over strengths of img2img."""
    record = read_record(made.out / "sweep.png")

    assert record is not None
    kinds = [item["kind"] for item in record["pictures"]]
    assert ["Edit"] * len(demo.ALPHAS) + ["Variation"] * len(demo.STRENGTHS) == kinds
    alphas = [item["alpha"] for item in record["pictures"] if item["kind"] == "Edit"]
    assert list(demo.ALPHAS) == alphas
    assert 0 == alphas[0] < 1.5 < alphas[-1]
    assert {demo.TARGET} == {item["target"] for item in record["pictures"]}
    picture = open_image(made.out / "input.png")
    assert open_image(made.out / "sweep.png").width > (len(demo.ALPHAS) + 1) * picture.width


def test_a_second_demo_asks_before_it_replaces(
    made: Made, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder with files is refused before any work, and --force is what goes past that."""
    monkeypatch.setattr("imagic_lora.editor.load_model", lambda *_, **__: pytest.fail("loaded"))
    run: Command = runner(capsys)

    done = run("demo", "--out", made.out)

    assert 2 == done.code
    assert f"the folder '{made.out}' holds files already; " in done.error
    with pytest.raises(pytest.fail.Exception, match="loaded"):
        run("demo", "--out", made.out, "--force")


def test_the_demos_adapter_takes_another_target(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The next command that the demo names works: another edit, without a second fit."""
    words = ("--target", demo.NEXT_TARGET, "--alpha", 1, "--steps", 2, "-o", tmp_path / "a.png")

    done = runner(capsys)("edit", made.out / "adapter.safetensors", *words)

    assert 0 == done.code
    assert open_image(tmp_path / "a.png").size == open_image(made.out / "input.png").size
