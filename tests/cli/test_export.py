import json
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
from PIL import Image

from imagic_lora import Adapter, FitSettings
from tests.support.command import Command, runner
from tests.support.handmade import made
from tests.support.tiny import Kind


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
        ("girl.safetensors --to adapter -o b.safetensors", "say how small by --max-size"),
        ("girl.safetensors --to kohya --max-size 0 -o b.safetensors", "allowed is 0.01 to 1000 MB"),
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


@pytest.mark.parametrize("tool", ["adapter", "kohya"])
def test_an_export_keeps_to_the_size_that_was_asked_for(
    run: Command, tmp_path: Path, adapter: Callable[[Kind], Adapter], tool: str
) -> None:
    """A smaller adapter is written, or a LoRA with ranks of its own, within the size."""
    adapter("sd1").save(tmp_path / "cat.safetensors")
    out = tmp_path / "small.safetensors"
    size = (tmp_path / "cat.safetensors").stat().st_size
    words = ("--to", tool, "--max-size", 0.8 * size / 1e6)

    done = run("export", tmp_path / "cat.safetensors", "-o", out, *words)

    assert 0 == done.code
    assert out.stat().st_size < 0.8 * size
    tensors = safetensors.torch.load_file(out)
    down = "lora_A.weight" if tool == "adapter" else "lora_down.weight"
    ranks = {len(tensor) for name, tensor in tensors.items() if name.endswith(down)}
    assert min(ranks) < 2
    assert ("Prompt it with" in done.out) == (tool == "kohya")


def test_an_adapter_of_words_alone_needs_no_more(run: Command, tmp_path: Path) -> None:
    """A fit whose embedding was held still loses nothing by leaving it behind, and says so."""
    made(settings=FitSettings(embedding_lr=0)).save(tmp_path / "girl.safetensors")
    out = tmp_path / "lora.safetensors"

    done = run("export", tmp_path / "girl.safetensors", "--to", "kohya", "-o", out)

    assert "Prompt it with 'a girl'; that is all it needs" in done.out
    hint = json.loads(run("inspect", tmp_path / "girl.safetensors", "--json").out)["shown"]
    assert "works in imagic_lora only" not in hint["modelspec.usage_hint"]


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
