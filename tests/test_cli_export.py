import json
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
from PIL import Image

from imagic_lora import Adapter
from tests.command import Command, runner
from tests.handmade import made
from tests.tiny import Kind


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """Give a function that runs the command line."""
    return runner(capsys)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Give the file of a handmade adapter."""
    made().save(tmp_path / "girl.safetensors")
    return tmp_path / "girl.safetensors"


@pytest.mark.parametrize(
    ("tool", "name"),
    [("kohya", "lora_unet_a_to_q.lora_down.weight"), ("diffusers", "unet.a.to_q.lora_A.weight")],
)
def test_export_writes_the_tools_own_names(
    run: Command, saved: Path, tmp_path: Path, tool: str, name: str
) -> None:
    """The file has the names of the tool that was asked for, and the prompt to use is said."""
    out = tmp_path / "new" / "lora.safetensors"

    done = run("export", saved, "--to", tool, "-o", out)

    assert 0 == done.code
    assert name in safetensors.torch.load_file(out)
    assert f"Wrote {out} (" in done.out
    assert "Prompt it with 'a girl';" in done.out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("girl.safetensors --to kohia -o b.safetensors", "Did you mean 'kohya'"),
        ("girl.safetensors --to kohya -o girl.safetensors", "exists already"),
        ("girl.safetensors --to kohya -o b.pt", "does not end in .safetensors"),
        ("none.safetensors --to kohya -o b.safetensors", "no such file"),
    ],
)
def test_an_export_that_cannot_be_done_is_refused(
    run: Command, saved: Path, words: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bad input gets one sentence and code 2, and changes nothing."""
    before = saved.read_bytes()

    with monkeypatch.context() as patch:
        patch.chdir(saved.parent)
        done = run("export", *words.split())

    assert expected in done.error
    assert (2, "", before) == (done.code, done.out, saved.read_bytes())
    assert [saved] == list(saved.parent.iterdir())


def test_inspect_says_what_other_tools_show(run: Command, saved: Path) -> None:
    """Title, base model and hint are shown as other tools have them, the thumbnail by its size."""
    values = json.loads(run("inspect", saved, "--json").out)

    assert "imagic_lora: a girl with a flower" == values["shown"]["modelspec.title"]
    assert "4 bytes of JPEG" == values["shown"]["modelspec.thumbnail"]
    assert "hash" in values["checked"]


@pytest.mark.parametrize("flags", [[], ["--no-thumbnail"]], ids=["with", "without"])
def test_the_thumbnail_can_be_left_out(
    run: Command,
    tmp_path: Path,
    picture: Image.Image,
    folder: Callable[[Kind], Path],
    flags: list[str],
) -> None:
    """A fit keeps a small copy of the image unless --no-thumbnail is given."""
    picture.save(tmp_path / "a.png")
    out = tmp_path / "a.safetensors"

    words = ("--source", "a", "--steps", 1, "--model", folder("sd1"))
    run("fit", tmp_path / "a.png", "-o", out, *words, *flags)

    assert bool(Adapter.load(out).thumbnail) == (not flags)
