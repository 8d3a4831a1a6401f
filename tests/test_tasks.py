"""The pages about one task each: their commands run, and print what the pages say."""

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from imagic_lora import Adapter, FitSettings, ImagicEditor, demo
from tests.support.command import parsed, runner

TASKS = Path(__file__).parents[1] / "docs" / "tasks"
PAGES = sorted(path.stem for path in TASKS.glob("*.md"))
ELSEWHERE = ("sd15", "sdxl", "my-checkpoint.safetensors")
"""Models that a test has not got: what is asked of them is read, not done."""

QUICK = {"fit": ("--steps", "4"), "edit": ("--steps", "1")}
BLOCK = re.compile(r"^( *)```(sh|text|json)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def adapter() -> Adapter:
    """Give the adapter that the pages begin with, learned in a few steps."""
    editor = ImagicEditor.from_pretrained(demo.MODEL)
    settings = FitSettings(steps=4)
    return editor.fit(demo.PICTURE, source=demo.SOURCE, target=demo.TARGET, settings=settings)


@pytest.fixture
def place(tmp_path: Path, adapter: Adapter, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the folder that a reader has: the picture, its adapter, and a mask."""
    shutil.copy(demo.PICTURE, tmp_path / "girl.png")
    adapter.save(tmp_path / "girl.safetensors")
    mask = Image.new("L", (64, 64))
    mask.paste(255, (16, 0, 48, 24))
    mask.save(tmp_path / "mask.png")
    with monkeypatch.context() as there:
        there.chdir(tmp_path)
        yield tmp_path


def words(text: str) -> list[str]:
    """Return the words of a text without its numbers, which depend on the machine and the steps."""
    return [word for word in re.findall(r"[^\W\d_]+", text) if word not in ("s", "min")]


def done(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command of a page in few steps, and return what it prints."""
    _, name, *given = shlex.split(line)
    if name == "ui" or not set(ELSEWHERE).isdisjoint(given):
        parsed(name, *given)
    if name == "ui" or (name != "plan" and not set(ELSEWHERE).isdisjoint(given)):
        return ""
    if name == "fit" and Path("girl.safetensors").exists():
        given.append("--force")
    did = runner(capsys)(name, *given, *QUICK.get(name, ()))
    assert 0 == did.code, (line, did.err)
    return did.out + did.err


@pytest.mark.filterwarnings("ignore::imagic_lora.errors.ImagicWarning")
@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("page", PAGES)
def test_a_page_does_what_it_says(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command of it works from top to bottom, and prints the lines that stand beneath it."""
    said = ""
    for _, kind, block in BLOCK.findall((TASKS / f"{page}.md").read_text("utf-8")):
        if kind == "json":
            Path("jobs.jsonl").write_text(block, "utf-8")
        elif kind == "sh":
            lines = [line for line in block.splitlines() if line.split()[:1] == ["imagic-lora"]]
            said = "".join(done(line, capsys) for line in lines)
        else:
            printed = [words(line) for line in said.splitlines()]
            for line in filter(None, block.splitlines()):
                assert words(line) in printed, (line, said)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_short(page: str) -> None:
    """It is read in a minute or two."""
    assert len((TASKS / f"{page}.md").read_text("utf-8").splitlines()) <= 60
