"""What holds for every set: tiny data in its layout come to the whole report."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from imagic_lora.bench.catalogue import BENCHMARKS
from imagic_lora.bench.choices import BENCHMARKS as NAMES
from tests.bench import layouts
from tests.support.command import runner

MAKERS: dict[str, Callable[[Path], Path]] = {
    "tedbench": layouts.tedbench,
    "tedbench++": layouts.tedbench_plus,
    "pie": lambda folder: layouts.pie(folder, **{"1": layouts.pie_row("1")}),
    "uniedit": layouts.uniedit,
    "imgedit": layouts.imgedit,
    "editeval": lambda folder: layouts.editeval(folder, layouts.EDITEVAL),
    "gedit": layouts.gedit,
    "gedit2": layouts.gedit2,
    "genarena": layouts.genarena,
    "own": layouts.own,
}


@pytest.mark.parametrize("name", NAMES)
def test_a_set_comes_to_a_whole_report(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A page, its figures, three sheets, and the pictures where the authors' tools look for them."""
    data, theirs, out = MAKERS[name](tmp_path / "data"), tmp_path / "theirs", tmp_path / "out"
    items = BENCHMARKS[name].load(data).items
    for item in items:
        layouts.picture(theirs / item.result)
    captions = {item.name: {"source": "a cat", "target": "a cat with a hat"} for item in items}
    (tmp_path / "captions.json").write_text(json.dumps(captions))
    more = () if items[0].target else ("--captions", tmp_path / "captions.json")
    words = ("bench", name, "--data", data, "-o", out, "--score", theirs, "--scorers", "pixels")

    done = runner(capsys)(*words, *more)

    assert 0 == done.code, done.err
    page = (out / "report.md").read_text()
    assert page.startswith(f"# {BENCHMARKS[name].title}\n\n{len(items)} of {len(items)} items.")
    assert "| theirs | " in page
    assert len(items) == json.loads((out / "report.json").read_text())["items"]
    for sheet in ("best", "worst", "random"):
        with Image.open(out / f"sheet-{sheet}.png") as image:
            assert image.width > 300
    exported = [path for path in (out / "exports").rglob("*") if path.suffix in (".jpg", ".png")]
    assert len(items) == len(exported)
