import io
import json
import pickle
import re
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

import imagic_lora
from imagic_lora import Adapter, FitError
from imagic_lora.cli.outputs import SHEET
from imagic_lora.images.reading import open_image
from imagic_lora.models.families import families
from imagic_lora.models.source import Source
from tests.support.command import Command, runner
from tests.support.rewriting import rewrite, with_tensors
from tests.support.tiny import Kind

FEW = ("--steps", 2)
"""Enough steps to see that something was done."""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """Give a function that runs the command line."""
    return runner(capsys)


@pytest.fixture
def place(tmp_path: Path, picture: Image.Image, adapter: Callable[[Kind], Adapter]) -> Path:
    """Give a folder with a good image and a good adapter."""
    picture.save(tmp_path / "good.png")
    adapter("sd1").save(tmp_path / "good.safetensors")
    return tmp_path


@pytest.fixture
def _no_model(monkeypatch: pytest.MonkeyPatch, adapter: Callable[[Kind], Adapter]) -> None:
    """Fail the test that loads any model, once the adapters that tests share are made."""
    adapter("sd1"), adapter("sd2")
    monkeypatch.setattr("imagic_lora.editor.load_model", lambda *_, **__: pytest.fail("loaded"))


def _listing(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder with its content."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


# Bad input: images


def _png(image: Image.Image) -> bytes:
    """Return an image as a PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _noise_png() -> bytes:
    """Return a PNG of noise, of which a half is no whole picture."""
    values = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return _png(Image.fromarray(values))


def _bomb() -> bytes:
    """Return a PNG that claims 400 million pixels and holds none."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    head = b"\x89PNG\r\n\x1a\n\0\0\0\r" + chunk + struct.pack(">I", zlib.crc32(chunk))
    return head + b"\0\0\0\0IDAT\x35\xaf\x06\x1e"


BAD_IMAGES: dict[str, tuple[Callable[[], bytes], str]] = {
    "corrupt": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(100), "cannot read .*bad.png'"),
    "empty": (lambda: b"", "the file is empty"),
    "truncated": (lambda: _noise_png()[:2000], "damaged or cut off"),
    "bomb": (_bomb, "pixels, allowed are 80 million"),
    "one pixel": (lambda: _png(Image.new("RGB", (1, 1))), "1 x 1 pixels, allowed is 16 or more"),
    "text": (lambda: b"a girl with a flower", "not an image that is known"),
}


@pytest.mark.usefixtures("_no_model")
@pytest.mark.parametrize("command", ["fit", "img2img"])
@pytest.mark.parametrize("name", BAD_IMAGES)
def test_an_image_that_cannot_be_used_is_refused_first(
    run: Command, place: Path, name: str, command: str
) -> None:
    """A bad image gets one sentence and code 2 before any model is loaded."""
    make, expected = BAD_IMAGES[name]
    (place / "bad.png").write_bytes(make())
    before = _listing(place)
    words = ["--strength", 0.5] if command == "img2img" else []

    done = run(command, place / "bad.png", "--target", "a", "-o", place / "a.safetensors", *words)

    assert _refused(done.error, expected)
    assert (2, "", before) == (done.code, done.out, _listing(place))


def _refused(line: str, expected: str) -> bool:
    """Return whether a line is the program's error and has what is expected."""
    pattern = f"imagic-lora: error: (?=.*{expected}).*[.?]"
    return re.fullmatch(pattern, line) is not None


def _grey(folder: Path) -> Path:
    """Return a 16-bit grey picture."""
    path = folder / "odd.png"
    Image.fromarray(np.full((48, 32), 40_000, dtype=np.uint16)).save(path)
    return path


def _saved(image: Image.Image, name: str, **options: Any) -> Callable[[Path], Path]:
    """Return a function that saves an image into a folder."""

    def save(folder: Path) -> Path:
        image.save(folder / name, **options)
        return folder / name

    return save


def _turned() -> Image.Exif:
    """Return the EXIF of a photo that was taken with the camera on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


RED = Image.new("RGB", (32, 48), "red")
GOOD_IMAGES: dict[str, tuple[Callable[[Path], Path], tuple[int, int]]] = {
    "animated": (
        _saved(RED, "odd.gif", save_all=True, append_images=[Image.new("RGB", (32, 48))]),
        (24, 40),
    ),
    "16-bit": (_grey, (24, 40)),
    "CMYK": (_saved(RED.convert("CMYK"), "odd.jpg"), (24, 40)),
    "palette": (_saved(RED.convert("P"), "odd.png"), (24, 40)),
    "RGBA": (_saved(RED.convert("RGBA"), "odd.png"), (24, 40)),
    "EXIF-rotated": (_saved(RED, "odd.jpg", exif=_turned()), (40, 24)),
}


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("name", GOOD_IMAGES)
def test_an_odd_image_is_fitted_as_people_see_it(run: Command, tmp_path: Path, name: str) -> None:
    """Animated, 16-bit, CMYK, palette, RGBA and turned images are handled, not refused."""
    make, size = GOOD_IMAGES[name]

    done = run("fit", make(tmp_path), "--source", "a", "-o", tmp_path / "a.safetensors", *FEW)

    record = Adapter.load(tmp_path / "a.safetensors").record
    assert (0, size) == (done.code, (record.width, record.height))
    # An untrained autoencoder can show no picture, which is said of each.
    notes = [line for line in done.err.splitlines() if line.startswith("note: ")]
    assert len(notes) == (2 if name == "animated" else 1)


# Bad input: everything else

BAD_COMMANDS: dict[str, tuple[str, str]] = {
    "no prompt": ("fit good.png -o a.safetensors", "needs --target or --source"),
    "empty target": ("fit good.png --target= -o a.safetensors", "--target: the prompt is empty"),
    "empty source": ("fit good.png --source= -o a.safetensors", "--source: the prompt is empty"),
    "empty edit": ("edit good.safetensors --target= --alpha 1 -o a", "the prompt is empty"),
    "no target": ("edit untargeted.safetensors --alpha 1 -o a", "fitted without a target"),
    "empty img2img": ("img2img good.png --target= --strength 1 -o a", "the prompt is empty"),
    "nan alpha": ("edit good.safetensors --alpha nan -o a", "was nan, allowed is any number"),
    "infinite alpha": ("edit good.safetensors --alpha 1,-inf -o a", "was -inf, allowed is any"),
    "word alpha": (
        "edit good.safetensors --alpha high -o a",
        "was 'high', allowed is 'auto' or any",
    ),
    "low strength": ("img2img good.png --target a --strength -1 -o a", "-1.0, allowed is 0 to 1"),
    "no steps": ("fit good.png --target a --steps 0 -o a.safetensors", "was 0, allowed is 1 to"),
    "no image": ("fit none.png --target a -o a.safetensors", "none.png': there is no such file"),
    "folder as image": ("fit folder --target a -o a.safetensors", "it is a folder"),
    "no adapter": ("edit none.safetensors --alpha 1 -o a", "no such file"),
    "folder as adapter": ("edit folder --alpha 1 -o a", "is no file, but a folder"),
    "image as adapter": ("edit good.png --alpha 1 -o a", "no safetensors file at all"),
    "taken file": ("fit good.png --target a -o good.safetensors", "exists already.*--force"),
    "taken picture": ("edit good.safetensors --alpha 1 -o good.png", "exists already.*--force"),
    "taken place": ("edit good.safetensors --alpha 0,1 -o full", "seed_0.png exists already"),
    "taken sheet": ("edit good.safetensors --alpha 2,3 -o full", "sheet.png exists already"),
    "taken demo": ("demo --out full", "holds files already; .*--out, .* --force"),
    "demo in a file": ("demo --out good.png", "not a directory"),
    "folder as output": ("fit good.png --target a -o d.safetensors --force", "it is not a file"),
    "below a file": ("fit good.png --target a -o good.png/a.safetensors", "not a directory"),
    "edits below a file": ("edit good.safetensors --alpha 1 -o good.png/a", "not a directory"),
    "wrong ending": ("fit good.png --target a -o a.pt", "does not end in .safetensors.*'a.safe"),
    "not PNG": ("edit good.safetensors --alpha 1 -o a.jpg", "ends in .jpg; pictures are .* PNG"),
    "many in one": ("edit good.safetensors --alpha 0,1 -o a.png", "2 pictures .* is one file"),
    "absent device": ("fit good.png --target a -o a.safetensors --device cuda:99", "'cuda:99'"),
    "unknown device": ("edit good.safetensors --alpha 1 -o a --device tpu9", "'tpu9'"),
}


@pytest.mark.usefixtures("_no_model")
@pytest.mark.parametrize("name", BAD_COMMANDS)
def test_what_cannot_be_done_is_refused_first(
    run: Command,
    place: Path,
    adapter: Callable[[Kind], Adapter],
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Bad input gets one sentence and code 2 before any model is loaded, and changes nothing."""
    command, expected = BAD_COMMANDS[name]
    _furnish(place, adapter("sd1"))
    before = _listing(place)

    with monkeypatch.context() as patch:
        patch.chdir(place)
        done = run(*command.split())

    assert _refused(done.error, expected)
    assert (2, "", before) == (done.code, done.out, _listing(place))


def _furnish(place: Path, adapter: Adapter) -> None:
    """Put into a folder what the bad commands stumble over."""
    (place / "folder").mkdir()
    (place / "d.safetensors").mkdir()
    (place / "full").mkdir()
    for name in ("alpha_1.0_seed_0.png", SHEET):
        (place / "full" / name).write_bytes(b"old")
    untargeted = rewrite(adapter.to_bytes(), lambda own: own.update(target=""))
    (place / "untargeted.safetensors").write_bytes(untargeted)


# Bad input: adapters


def _altered(**changes: Any) -> Callable[[Adapter], bytes]:
    """Return a function from an adapter to a file with other fields in its header."""
    return lambda adapter: rewrite(adapter.to_bytes(), lambda own: own.update(changes))


def _with_tensor(name: str, tensor: torch.Tensor) -> Callable[[Adapter], bytes]:
    """Return a function from an adapter to a file with one other tensor."""
    return lambda adapter: with_tensors(adapter.to_bytes(), {name: tensor})


BAD_ADAPTERS: dict[str, tuple[Callable[[Adapter], bytes], str]] = {
    "truncated": (lambda adapter: adapter.to_bytes()[:-100], "not a whole safetensors file"),
    "empty": (lambda _: b"", "truncated"),
    "foreign": (
        lambda _: safetensors.torch.save({"a": torch.zeros(2)}),
        "made by another tool",
    ),
    "newer": (_altered(format=99), "format version 99"),
    "huge header": (lambda _: (1 << 62).to_bytes(8, "little") + bytes(64), "truncated, or no saf"),
    "pickle": (lambda _: pickle.dumps({"a": [1.0] * 99}), "pickles are never loaded"),
    "wrong shape": (
        _with_tensor("imagic_lora.conditioning.tokens", torch.zeros(7, dtype=torch.float16)),
        "has the shape",
    ),
    "not finite": (
        _with_tensor("imagic_lora.latents", torch.full((1, 4, 2, 2), torch.nan).half()),
        "not finite",
    ),
}


@pytest.mark.usefixtures("_no_model")
@pytest.mark.parametrize("words", [["edit", "--alpha", 1, "-o", "a"], ["inspect"]], ids=str)
@pytest.mark.parametrize("name", BAD_ADAPTERS)
def test_a_bad_adapter_is_refused_first(
    run: Command,
    tmp_path: Path,
    adapter: Callable[[Kind], Adapter],
    name: str,
    words: list[object],
) -> None:
    """A file that is no whole adapter is refused by name, before any model is loaded."""
    make, expected = BAD_ADAPTERS[name]
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(make(adapter("sd1")))

    done = run(*words, bad)

    assert _refused(done.error, f"bad.safetensors.*{expected}")
    assert (2, "") == (done.code, done.out)


def test_an_adapter_of_another_family_is_refused(
    run: Command,
    place: Path,
    adapter: Callable[[Kind], Adapter],
    folder: Callable[[Kind], Path],
) -> None:
    """The message names both sides, and nothing is written."""
    adapter("sdxl").save(place / "xl.safetensors")

    words = ("--alpha", 1, "-o", place / "a.png", "--model", folder("sd1"))
    done = run("edit", place / "xl.safetensors", *words)

    assert _refused(done.error, "family sdxl.*family sd,")
    assert (2, False) == (done.code, (place / "a.png").exists())


# Bad input: models


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (
            "nobody/nothing",
            "Hub cannot be reached for 'nobody/nothing', and the local cache does not serve",
        ),
        ("demoo", "no model 'demoo': .* Did you mean 'demo'?"),
        ("partial", "'partial' lacks vae; "),
        ("good.png", "'good.png' is not a readable .safetensors checkpoint"),
    ],
)
def test_a_model_that_is_not_there_is_refused(
    run: Command,
    place: Path,
    folder: Callable[[Kind], Path],
    monkeypatch: pytest.MonkeyPatch,
    model: str,
    expected: str,
) -> None:
    """What is known to be wrong with a model is said before a weight is read."""
    shutil.copytree(folder("sd1"), place / "partial")
    shutil.rmtree(place / "partial" / "vae")
    monkeypatch.setattr(Source, "load", lambda *_: pytest.fail("loaded"))

    with monkeypatch.context() as patch:
        patch.chdir(place)
        done = run("fit", "good.png", "--target", "a", "-o", "a.safetensors", "--model", model)

    assert _refused(done.error, expected)
    assert (2, False) == (done.code, (place / "a.safetensors").exists())


def test_where_the_adapters_model_is_can_be_said(
    run: Command, place: Path, folder: Callable[[Kind], Path]
) -> None:
    """A model is looked for where the adapter names it, and --model is said to override that."""
    words = ("edit", place / "good.safetensors", "--alpha", 1, "-o", place / "a.png", *FEW)

    lost = run(*words)
    found = run(*words, "--model", folder("sd1"))

    assert _refused(lost.error, "no model 'tiny-sd1': .* --model")
    assert (2, 0) == (lost.code, found.code)


# What the commands do


def test_an_image_becomes_an_adapter_and_pictures(
    run: Command, place: Path, folder: Callable[[Kind], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From image to adapter to pictures in two commands; the adapter names its model itself."""
    out = place / "new" / "cat.safetensors"

    with monkeypatch.context() as patch:
        patch.chdir(folder("sd1").parent)
        fit = run(
            "fit", place / "good.png", "--target", "a cat", "--model", "tiny-sd1", "-o", out, *FEW
        )
        words = ("--yes", "--alpha=-0.5,1", "--seeds", "0,7", "-o", place / "cats", *FEW)
        edit = run("edit", out, *words)

    assert (0, 0) == (fit.code, edit.code)
    assert f"imagic-lora edit {out} --alpha 0.7,0.9,1.1 -o {place}/new/cat-edits" in fit.out
    assert "fit 2/2, loss " in fit.err
    assert "[4/4] alpha 1, seed 7: sample 2/2" in edit.err
    names = [f"alpha_{alpha}_seed_{seed}.png" for alpha in (-0.5, 1.0) for seed in (0, 7)]
    assert {*names, SHEET} == {path.name for path in (place / "cats").iterdir()}
    assert f"Wrote 4 pictures to {place / 'cats'}, side by side in sheet.png.\n" == edit.out


@pytest.mark.usefixtures("tiny")
def test_several_adapters_stand_on_one_sheet(run: Command, place: Path) -> None:
    """Each adapter has its own pictures, by its name, and a row of the sheet."""
    shutil.copy(place / "good.safetensors", place / "ann.safetensors")
    several = (place / "good.safetensors", place / "ann.safetensors")

    done = run("edit", *several, "--alpha", "0,1", "-o", place / "all", *FEW)

    assert 0 == done.code
    names = {f"{who}_alpha_{a}_seed_0.png" for who in ("good", "ann") for a in (0.0, 1.0)}
    assert {*names, SHEET} == {path.name for path in (place / "all").iterdir()}
    assert "[3/4] alpha 0, ann, seed 0: sample" in done.err


@pytest.mark.usefixtures("tiny")
def test_adapters_of_one_name_are_told_apart(run: Command, place: Path) -> None:
    """Files of the same name from several folders are numbered."""
    (place / "other").mkdir()
    shutil.copy(place / "good.safetensors", place / "other" / "good.safetensors")
    several = (place / "good.safetensors", place / "other" / "good.safetensors")

    run("edit", *several, "--alpha", 1, "-o", place / "all", *FEW)

    names = {f"{n}-good_alpha_1.0_seed_0.png" for n in (1, 2)}
    assert {*names, SHEET} == {path.name for path in (place / "all").iterdir()}


@pytest.mark.usefixtures("_no_model")
def test_adapters_of_several_models_need_one_to_be_named(
    run: Command, place: Path, adapter: Callable[[Kind], Adapter]
) -> None:
    """Without --model it is not known which model to load, and both are named."""
    adapter("sd2").save(place / "other.safetensors")
    several = (place / "good.safetensors", place / "other.safetensors")

    done = run("edit", *several, "--alpha", 1, "-o", place / "all", *FEW)

    assert _refused(done.error, "several models, 'tiny-sd1', 'tiny-sd2'; .* --model")
    assert 2 == done.code


@pytest.mark.usefixtures("tiny")
def test_each_setting_reaches_the_picture(run: Command, place: Path) -> None:
    """What was given as flags is what the picture says that it was made with."""
    expected = {
        "guidance": 2.0,
        "steps": 3,
        "negative": "a dog",
        "scheduler": "euler",
        "width": 24,
        "height": 40,
        "seed": 5,
        "direction": "interpolate",
        "fidelity": 0.25,
        "focus": 0.75,
        "structure_lock": 0.5,
    }
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in expected.items()]
    flags = [flag.replace("--seed=", "--seeds=") for flag in flags]

    run("edit", place / "good.safetensors", "--alpha", 0.9, "-o", place / "a.png", *flags)
    record = json.loads(run("inspect", "--json", place / "a.png").out)

    assert expected == record["settings"]
    assert ("Edit", 0.9, "a cat") == (record["kind"], record["alpha"], record["target"])
    assert (24, 40) == open_image(place / "a.png").size


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("alpha", [(), ("--alpha", "auto")])
def test_a_strength_is_found_and_told(alpha: tuple[str, ...], run: Command, place: Path) -> None:
    """Where none is given, the sentence says which it took and why, and the picture says so too."""
    done = run("edit", place / "good.safetensors", *alpha, "-o", place / "a.png", *FEW)

    record = json.loads(run("inspect", "--json", place / "a.png").out)
    told = re.search(r"Took alpha (\S+): of (.+) it is", done.out + done.error)
    assert told is not None
    assert f"{record['alpha']:g}" == told[1]
    assert {told[1], "1"} <= {*told[2].split(", ")}
    assert 0 == done.code


@pytest.mark.usefixtures("tiny")
def test_a_mask_is_refused_before_the_work(run: Command, place: Path) -> None:
    """A mask that is no picture, and one that allows nothing, end in one sentence each."""
    words = ("edit", place / "good.safetensors", "--alpha", 1, "-o", place / "a.png", *FEW)
    Image.new("RGB", (32, 32)).save(place / "black.png")

    assert _refused(run(*words, "--mask", place / "good.safetensors").error, "good.safetensors")
    assert _refused(run(*words, "--mask", place / "black.png").error, "black everywhere")
    assert not (place / "a.png").exists()


@pytest.mark.usefixtures("tiny")
def test_a_mask_changes_the_picture(run: Command, place: Path) -> None:
    """With half of the picture held, it is another than without."""
    words = ("edit", place / "good.safetensors", "--alpha", 2, *FEW)
    half = Image.new("RGB", (32, 32))
    half.paste((255, 255, 255), (0, 0, 16, 32))
    half.save(place / "half.png")

    run(*words, "-o", place / "free.png")
    run(*words, "-o", place / "held.png", "--mask", place / "half.png")

    free, held = (open_image(place / name) for name in ("free.png", "held.png"))
    assert free.tobytes() != held.tobytes()


@pytest.mark.usefixtures("tiny")
def test_each_setting_reaches_the_fit(run: Command, place: Path) -> None:
    """What was given as flags is what the adapter says that it was fitted with."""
    expected = {
        "mode": "two-stage",
        "steps": 3,
        "batch": 2,
        "embedding_lr": 0.01,
        "lora_lr": 0.001,
        "rank": 2,
        "outweigh": 0.0,
        "width": 24,
        "height": 40,
        "seed": 5,
    }
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in expected.items()]
    out = place / "a.safetensors"

    run("fit", place / "good.png", "--target", " a cat ", "--source", "a dog", "-o", out, *flags)
    record = json.loads(run("inspect", "--json", out).out)

    assert expected == record["settings"]
    assert ("a cat", "a dog", 24, 40) == tuple(
        record[name] for name in ("target", "source", "width", "height")
    )


@pytest.mark.usefixtures("tiny")
def test_another_target_needs_no_second_fit(run: Command, place: Path) -> None:
    """--target takes the place of the fit's own."""
    words = ("edit", place / "good.safetensors", "--alpha", 1, *FEW)

    run(*words, "-o", place / "own.png")
    run(*words, "-o", place / "other.png", "--target", "a house")

    assert "a house" == json.loads(run("inspect", "--json", place / "other.png").out)["target"]
    pictures = [open_image(place / name).tobytes() for name in ("own.png", "other.png")]
    assert pictures[0] != pictures[1]


@pytest.mark.usefixtures("tiny")
def test_img2img_makes_every_strength_noise_and_seed(run: Command, place: Path) -> None:
    """A row of the sheet for each noise and seed, a column for each strength."""
    flags = ("--strength", "0.5,1", "--noise", "0,0.2", "--seeds", "0,1", *FEW)

    done = run("img2img", place / "good.png", "--target", "a", "-o", place / "a", *flags)

    names = {path.name for path in (place / "a").iterdir()}
    assert (0, 9) == (done.code, len(names))
    assert "strength_0.5_noise_0.2_seed_1.png" in names
    sheet = json.loads(run("inspect", "--json", place / "a" / SHEET).out)
    made = [(item["noise"], item["settings"]["seed"]) for item in sheet["pictures"]]
    assert [(0.0, 0), (0.0, 1), (0.2, 0), (0.2, 1)] == made[::2]
    assert made[::2] == made[1::2]


@pytest.mark.usefixtures("tiny")
def test_one_picture_in_a_folder_needs_no_sheet(run: Command, place: Path) -> None:
    """A folder is made for one picture too, without a sheet of one."""
    done = run("edit", place / "good.safetensors", "--alpha", 1, "-o", place / "a", *FEW)

    assert [place / "a" / "alpha_1.0_seed_0.png"] == list((place / "a").iterdir())
    assert f"Wrote {place}/a/alpha_1.0_seed_0.png.\n" == done.out


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("name", ["good.safetensors", "good.png"])
def test_force_replaces_what_is_there(run: Command, place: Path, name: str) -> None:
    """With --force the old file goes once the new one is whole."""
    before = (place / name).read_bytes()
    words: dict[str, list[object]] = {
        "good.safetensors": ["fit", place / "good.png", "--target", "b"],
        "good.png": ["edit", place / "good.safetensors", "--alpha", 1],
    }

    done = run(*words[name], "-o", place / name, *FEW, "--force")

    assert 0 == done.code
    assert before != (place / name).read_bytes()


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("failure", [FitError("it diverged."), RuntimeError("a bug")])
def test_a_failed_fit_leaves_the_previous_file(
    run: Command, place: Path, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even with --force, a fit that fails changes nothing; a bug keeps its traceback."""
    before = _listing(place)

    def fail(*_: Any) -> None:
        raise failure

    monkeypatch.setattr("imagic_lora.fitting.fitter.fit", fail)
    words = ("fit", place / "good.png", "--target", "a", "-o", place / "good.safetensors")

    if isinstance(failure, FitError):
        assert "imagic-lora: error: it diverged." == run(*words, "--force").error
    else:
        with pytest.raises(RuntimeError, match="a bug"):
            run(*words, "--force")
    assert before == _listing(place)


@pytest.mark.usefixtures("tiny")
def test_what_is_cut_is_said_once(run: Command, place: Path) -> None:
    """Of a prompt that is too long the lost end is quoted, once for all pictures."""
    target = "a girl with a flower " * 12 + "on a hill"

    done = run(
        "edit", place / "good.safetensors", "--target", target, "--alpha", "0.5,1", "--seeds",
        "0,1", "-o", place / "a", *FEW,
    )  # fmt: skip

    (note,) = [line for line in done.err.splitlines() if line.startswith("note: ")]
    assert (0, True) == (done.code, "on a hill'" in note)


@pytest.mark.usefixtures("tiny")
def test_a_size_that_is_rounded_is_said(run: Command, place: Path) -> None:
    """A side that is no multiple of 8 is rounded, with a note."""
    out = place / "a.safetensors"

    done = run("fit", place / "good.png", "--target", "a", "-o", out, "--width", 30, *FEW)

    assert "note: width 30 is no multiple of 8; 32 is used.\n" in done.err
    assert 32 == Adapter.load(out).record.width


# inspect and models


def test_an_adapter_tells_what_made_it(run: Command, place: Path) -> None:
    """Text and JSON have the same facts: what was fitted, on what, how, and how it went."""
    path = place / "good.safetensors"
    adapter = Adapter.load(path)

    text = run("inspect", path)
    values = json.loads(run("inspect", path, "--json").out)

    assert 0 == text.code
    assert {
        "kind": "Adapter",
        "bytes": path.stat().st_size,
        "sha256": adapter.sha256,
        "rank": 2,
        "steps": 4,
        "target": "a cat",
        "source": "a",
        "base_model": "tiny-sd1",
        "losses": list(adapter.record.losses),
    }.items() <= values.items()
    assert imagic_lora.__version__ == values["versions"]["imagic-lora"]
    for line in ("target           'a cat'", "rank             2", "  batch            2"):
        assert line in text.out.splitlines()
    assert "losses           4 values, from " in text.out


@pytest.mark.usefixtures("tiny")
def test_a_picture_tells_what_made_it(run: Command, place: Path) -> None:
    """A PNG of ours names its prompt, alpha, settings and adapter."""
    run("edit", place / "good.safetensors", "--alpha", 0.25, "-o", place / "a.png", *FEW)

    text = run("inspect", place / "a.png")

    assert 0 == text.code
    sha256 = Adapter.load(place / "good.safetensors").sha256
    for line in ("alpha            0.25", f"adapter sha256   '{sha256}'", "  steps            2"):
        assert line in text.out.splitlines()


def test_a_picture_of_another_program_is_refused(run: Command, place: Path) -> None:
    """A PNG without a record, or a file that is neither, is named as what it is."""
    (place / "words").write_text("a girl with a flower")

    assert _refused(run("inspect", place / "good.png").error, "good.png' carries no record")
    assert _refused(run("inspect", place / "words").error, "no safetensors file at all")
    assert _refused(run("inspect", place / "none").error, "no such file")


def test_a_hostile_record_cannot_act_on_the_terminal(
    run: Command, tmp_path: Path, adapter: Callable[[Kind], Adapter]
) -> None:
    """Control characters in texts and names of a file are shown, not sent."""
    hostile = {"target": "\x1b[2J\x9b1m", "versions": {"\x1b]0;x\x07": "1"}}
    data = rewrite(adapter("sd1").to_bytes(), lambda own: own.update(hostile))
    (tmp_path / "a.safetensors").write_bytes(data)

    out = run("inspect", tmp_path / "a.safetensors").out

    assert "target           '\\x1b[2J\\x9b1m'" in out.splitlines()
    assert not {"\x1b", "\x9b", "\x07"} & set(out)


def test_the_models_are_listed(run: Command) -> None:
    """Every family and every kind of source is named, the demo model first."""
    done = run("models")

    assert 0 == done.code
    assert all(f"  {name} " in done.out for name in [*families(), "demo", "owner/name"])
