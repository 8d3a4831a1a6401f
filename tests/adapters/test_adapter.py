import contextlib
import copy
import dataclasses
import hashlib
import json
import os
import pickle
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from diffusers import StableDiffusionPipeline
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imagic_lora import Adapter, AdapterFileError, DeviceError, ImagicEditor, OutputError
from imagic_lora.adapters.weights import Pair, Weights
from imagic_lora.conditioning import Conditioning
from imagic_lora.editing.slots import Slots
from imagic_lora.images.canvas import Frame
from imagic_lora.images.png import to_png
from tests.support.handmade import made
from tests.support.rewriting import rewrite, with_tensors
from tests.support.tiny import KINDS, Kind

TOKENS = "imagic_lora.conditioning.tokens"


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_adapter_loads_as_it_was(
    kind: Kind, adapter: Callable[[Kind], Adapter], tmp_path: Path
) -> None:
    """Loading what was saved gives an equal adapter, for every family (invariant 4)."""
    original = adapter(kind)

    original.save(tmp_path / "a.safetensors")
    loaded = Adapter.load(tmp_path / "a.safetensors")

    assert original == loaded
    assert original.sha256 == loaded.sha256
    assert original.record == loaded.record
    assert original.conditioning.equal(loaded.conditioning)
    assert torch.equal(original.latents, loaded.latents)
    assert original.lora.keys() == loaded.lora.keys()
    assert all(torch.equal(original.lora[name], loaded.lora[name]) for name in original.lora)


@given(
    target=st.text(st.characters(exclude_characters="\0", exclude_categories={"Cs"}), max_size=30),
    losses=st.lists(st.floats(0, 1e6, allow_nan=False), max_size=5),
    width=st.integers(1, 8192),
)
def test_any_record_survives_the_file(target: str, losses: list[float], width: int) -> None:
    """Any text that a prompt may be, and any numbers in a record, come back as they were."""
    original = made(target=target, losses=tuple(losses), width=width)

    assert original == Adapter.from_bytes(original.to_bytes())


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("can't allocate memory: 9 bytes")])
def test_memory_that_runs_out_is_said(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether an adapter is written or read, it is one sentence of ours."""
    data = made().to_bytes()

    def short(*_: object) -> None:
        raise error

    for name in ("save", "load"):
        monkeypatch.setattr(safetensors.torch, name, short)

    with pytest.raises(DeviceError, match="ran out of memory while tensors were written"):
        made().to_bytes()
    with pytest.raises(DeviceError, match="ran out of memory while an adapter was read"):
        Adapter.from_bytes(data)


def test_the_same_adapter_gives_the_same_bytes() -> None:
    """The file does not depend on when or how often it is made."""
    assert {made().to_bytes()} == {made().to_bytes() for _ in range(20)}


def test_a_changed_field_makes_another_adapter() -> None:
    """Equality and hash see every part of an adapter."""
    original = made()
    others = [
        made(target="a boy"),
        dataclasses.replace(original, latents=original.latents + 1),
        dataclasses.replace(original, thumbnail=b""),
        dataclasses.replace(original, lora=Weights({n: t + 1 for n, t in original.lora.items()})),
    ]

    assert made() == original
    assert hash(made()) == hash(original)
    for other in others:
        assert original != other
        assert original.sha256 != other.sha256


@pytest.mark.parametrize("kind", ["fitted", "adopted"])
def test_adapters_travel(kind: str) -> None:
    """A copy, and what comes out of a pickle, is equal; so is the record, by its hash too."""
    original = {"fitted": made(), "adopted": adopted()}[kind]
    travels = [copy.copy(original), copy.deepcopy(original), pickle.loads(pickle.dumps(original))]

    for found in travels:
        assert original == found
        assert original.sha256 == found.sha256
        assert hash(original.record) == hash(found.record)
    assert original.record == copy.deepcopy(original.record)
    assert original.latents.tolist() == dataclasses.asdict(original)["latents"].tolist()


def test_reading_an_adapter_loads_no_model_library() -> None:
    """In a fresh process, as a pool starts them, an adapter is there without the heavy packages."""
    program = (
        "import pickle, sys; found = pickle.load(sys.stdin.buffer); print(found.sha256);"
        "print([n for n in ('diffusers', 'transformers', 'peft', 'huggingface_hub')"
        " if n in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        input=pickle.dumps(made()),
    )

    assert [made().sha256, "[]"] == done.stdout.decode().splitlines()


def test_adapters_cannot_be_changed() -> None:
    """Neither a field nor an entry of the weights can be replaced."""
    original = made()

    with pytest.raises(dataclasses.FrozenInstanceError):
        original.latents = torch.zeros(1)  # type: ignore[misc]
    with pytest.raises(TypeError):
        original.lora["x"] = torch.zeros(1)  # type: ignore[index]


def test_saving_over_a_file_needs_force(tmp_path: Path) -> None:
    """A file that exists stays as it was unless force is given."""
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"precious")

    with pytest.raises(OutputError):
        made().save(path)
    assert path.read_bytes() == b"precious"

    made().save(path, force=True)
    assert made() == Adapter.load(path)


def test_a_file_cut_anywhere_is_refused() -> None:
    """Whatever its length, a truncated file raises an AdapterFileError and nothing else."""
    data = made().to_bytes()

    for length in range(len(data)):
        with pytest.raises(AdapterFileError):
            Adapter.from_bytes(data[:length])


@given(st.binary(max_size=400))
def test_random_bytes_are_refused(data: bytes) -> None:
    """Any bytes that are no adapter raise an AdapterFileError and nothing else."""
    with pytest.raises(AdapterFileError):
        Adapter.from_bytes(data)


@given(position=st.integers(0), value=st.integers(0, 255))
def test_a_flipped_byte_is_harmless(position: int, value: int) -> None:
    """A file with one byte changed loads, or raises an AdapterFileError and nothing else."""
    data = bytearray(made().to_bytes())
    data[position % len(data)] = value

    with contextlib.suppress(AdapterFileError):
        Adapter.from_bytes(bytes(data))


class Bomb:
    """Creates a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_a_pickle_renamed_is_refused_and_not_run(tmp_path: Path) -> None:
    """A pickle with the extension .safetensors runs nothing."""
    path = tmp_path / "evil.safetensors"
    path.write_bytes(pickle.dumps(Bomb(tmp_path / "ran")))

    with pytest.raises(AdapterFileError, match="pickles are never loaded"):
        Adapter.load(path)

    assert not (tmp_path / "ran").exists()


FRAME = Frame((640, 480), (0, 0, 640, 480), (64, 48))
HOSTILE_HEADERS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a newer version": lambda own: own.update(format=2),
    "a version that is no number": lambda own: own.update(format=True),
    "a missing field": lambda own: own.pop("target"),
    "a number for a text": lambda own: own.update(target=3),
    "a text for a number": lambda own: own.update(width="64"),
    "a width of nothing": lambda own: own.update(width=0),
    "losses that are no list": lambda own: own.update(losses={"a": 1}),
    "a loss that is no number": lambda own: own.update(losses=["a"]),
    "a loss that is infinite": lambda own: own.update(losses=[float("inf")]),
    "a gap that is not a number": lambda own: own.update(gap=float("nan")),
    "settings that are no object": lambda own: own.update(settings=[]),
    "settings out of range": lambda own: own["settings"].update(rank=0),
    "settings of another type": lambda own: own["settings"].update(seed="x"),
    "levers that are no list": lambda own: own.update(levers="8-bit"),
    "a lever that is no text": lambda own: own.update(relieved=[8]),
    "versions that are no object": lambda own: own.update(versions=[1]),
    "a family of a later version": lambda own: own.update(family="sd9"),
    "a family that is no text": lambda own: own.update(family=["sd"]),
    "an unknown prediction": lambda own: own.update(prediction="banana"),
    "a base model elsewhere": lambda own: own.update(base_model="../../.."),
    "a base model by its path": lambda own: own.update(base_model="/models/x"),
    "a gap that no float holds": lambda own: own.update(gap=10**400),
    "a loss that no float holds": lambda own: own.update(losses=[10**400]),
    "a setting that no float holds": lambda own: own["settings"].update(seed=10**400),
    "a loss below nothing": lambda own: own.update(losses=[-1.0]),
    "a gap below nothing": lambda own: own.update(gap=-0.5),
    "half a character": lambda own: own.update(target="\ud800"),
    "half a character in a list": lambda own: own.update(levers=["\udfff"]),
    "half a character in a name": lambda own: own["versions"].update({"\ud800": "1"}),
    "half a character in what is passed over": lambda own: own.update(mood="\ud800"),
    "a prompt of a million characters": lambda own: own.update(target="a" * 10**6),
    "a frame that is none": lambda own: own.update(frame=[1, 2]),
    "a frame of another canvas": lambda own: own["frame"].update(size=[32, 32]),
    "a frame beyond the picture": lambda own: own["frame"].update(box=[0, 0, 1e9, 9]),
    "a canvas smaller than the latents": lambda own: own.update(height=1, width=1),
}


@pytest.mark.parametrize("name", HOSTILE_HEADERS)
def test_a_header_that_is_wrong_is_refused(name: str) -> None:
    """Every field of the header is checked before it is believed."""
    whole = dataclasses.replace(made(frame=FRAME), latents=torch.zeros(1, 4, 2, 2).half())
    data = rewrite(whole.to_bytes(), HOSTILE_HEADERS[name])

    with pytest.raises(AdapterFileError) as caught:
        Adapter.from_bytes(data)

    assert len(str(caught.value)) < 300


def test_a_frame_survives_the_file() -> None:
    """Which part of the picture was fitted is in the file; files of former versions say nothing."""
    original = made(frame=FRAME)

    assert FRAME == Adapter.from_bytes(original.to_bytes()).record.frame
    assert Adapter.load(GOLDEN / "fitted-1.safetensors").record.frame is None
    assert b"frame" not in made().to_bytes()


def test_levers_survive_the_file() -> None:
    """What was pulled to fit is in the file, and nothing is where nothing was."""
    original = made(levers=("micro-batch", "8-bit"), relieved=("8-bit",))

    loaded = Adapter.from_bytes(original.to_bytes())

    assert (("micro-batch", "8-bit"), ("8-bit",)) == (loaded.record.levers, loaded.record.relieved)
    assert b"levers" not in made().to_bytes()


def test_fields_of_a_later_writer_are_passed_over() -> None:
    """A header with fields that this version does not know still loads."""
    data = rewrite(
        made().to_bytes(), lambda own: (own.update(mood="good"), own["settings"].update(new=1))
    )

    assert made() == Adapter.from_bytes(data)


def test_a_deeply_nested_header_is_refused() -> None:
    """A header made to exhaust the stack raises an AdapterFileError."""
    text = b"[" * 100_000
    data = struct.pack("<Q", len(text)) + text

    with pytest.raises(AdapterFileError):
        Adapter.from_bytes(data)


def test_a_huge_header_is_refused_before_it_is_parsed() -> None:
    """A header larger than any adapter needs is refused by its length, which is said."""
    size = 9 << 20
    data = struct.pack("<Q", size) + b" " * size

    with pytest.raises(AdapterFileError, match=f"its header has {size} bytes"):
        Adapter.from_bytes(data)


HALF = torch.zeros(2, 3, dtype=torch.float16)
HOSTILE_TENSORS: dict[str, dict[str, torch.Tensor | None]] = {
    "not finite": {TOKENS: torch.full((1, 2, 3), torch.inf, dtype=torch.float16)},
    "another precision": {TOKENS: torch.zeros(1, 2, 3)},
    "two dimensions": {TOKENS: HALF},
    "a batch of two": {TOKENS: torch.zeros(2, 2, 3, dtype=torch.float16)},
    "missing": {TOKENS: None},
    "one too many": {"imagic_lora.surprise": HALF},
    "another tool's text encoder": {"text_encoder.x.lora_A.weight": HALF},
    "no partner": {"unet.a.to_q.lora_A.weight": None},
    "an up matrix of 3 x 3": {
        "unet.a.to_q.lora_A.weight": torch.zeros(2, 3, 3, 3, dtype=torch.float16),
        "unet.a.to_q.lora_B.weight": torch.zeros(3, 2, 3, 3, dtype=torch.float16),
    },
    "ranks that differ": {"unet.a.to_q.lora_A.weight": torch.zeros(1, 3, dtype=torch.float16)},
    "no low-rank weight": {"unet.a.to_q.weight": HALF},
    "no LoRA": {"unet.a.to_q.lora_A.weight": None, "unet.a.to_q.lora_B.weight": None},
}


def adopted() -> Adapter:
    """Return an adapter of SDXL's kind whose weights another tool made."""
    adapter = made(family="sdxl", settings=None, losses=(), gap=None)
    half = torch.arange(6, dtype=torch.float16)
    return dataclasses.replace(
        adapter, conditioning=Conditioning(half.view(1, 2, 3), half.view(1, 6))
    )


GOLDEN = Path(__file__).parent / "golden"
"""Files of format version 1, written once: a change of these bytes is a change of the format."""


@pytest.mark.parametrize("name", ["fitted", "adopted"])
def test_version_1_stays_readable(name: str) -> None:
    """A file of version 1 that was written once loads as what it was written from."""
    expected = {"fitted": made(settings=None), "adopted": adopted()}[name]

    found = Adapter.load(GOLDEN / f"{name}-1.safetensors")

    settings = found.record.settings
    assert (name == "adopted") == (settings is None)
    assert settings is None or (3, "joint") == (settings.steps, settings.mode)
    unset = dataclasses.replace(found.record, settings=None)
    assert expected == dataclasses.replace(found, record=unset)


def test_version_1_is_written_byte_for_byte() -> None:
    """What is written today has the very bytes that version 1 began with."""
    assert (GOLDEN / "adopted-1.safetensors").read_bytes() == adopted().to_bytes()


def test_the_header_follows_modelspec() -> None:
    """The file names itself to other tools, with the hash of its tensors and no date."""
    data = made().to_bytes()
    size = int.from_bytes(data[:8], "little")

    shown = json.loads(data[8 : 8 + size])["__metadata__"]

    assert "1.0.1" == shown["modelspec.sai_model_spec"]
    assert "0x" + hashlib.sha256(data[8 + size :]).hexdigest() == shown["modelspec.hash_sha256"]
    assert not [name for name in shown if "date" in name or "_at" in name]
    assert {"imagic_lora", "format"} == {
        name for name in shown if not name.startswith(("modelspec.", "ss_"))
    }


def test_tensors_that_were_changed_are_noticed() -> None:
    """One flipped bit in a tensor, which no shape or range gives away, is refused by the hash."""
    data = bytearray(made().to_bytes())
    data[-1] ^= 1

    with pytest.raises(AdapterFileError, match="do not have the hash"):
        Adapter.from_bytes(bytes(data))


@pytest.mark.parametrize("url", ["x", "data:text/html;base64,PGI+", "data:image/jpeg;base64,?"])
def test_a_thumbnail_that_is_no_jpeg_is_refused(url: str) -> None:
    """What other tools would show must be a JPEG in a data URL."""
    data = made().to_bytes()
    size = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + size])["__metadata__"] | {"modelspec.thumbnail": url}

    with pytest.raises(AdapterFileError, match="thumbnail"):
        Adapter.from_bytes(safetensors.torch.save(safetensors.torch.load(data), metadata))


def test_the_input_comes_back_as_it_was() -> None:
    """A picture that an adapter keeps survives its file, pixel for pixel."""
    picture = Image.effect_noise((64, 48), 90).convert("RGB")

    kept = dataclasses.replace(made(), picture=to_png(picture))

    assert picture == Adapter.from_bytes(kept.to_bytes()).input
    assert made().input is None


@pytest.mark.parametrize(
    ("picture", "fault"),
    [
        (b"GIF89a", "no PNG"),
        (to_png(Image.new("RGB", (64, 48)))[:60], "damaged"),
        (to_png(Image.new("RGB", (48, 64))), "48 x 64 pixels, its canvas 64 x 48"),
    ],
    ids=["another format", "cut off", "another size"],
)
def test_a_picture_that_cannot_be_the_input_is_refused(picture: bytes, fault: str) -> None:
    """Whoever made the file, its picture is a whole PNG of the canvas's size."""
    data = dataclasses.replace(made(), picture=picture).to_bytes()

    with pytest.raises(AdapterFileError, match=fault):
        Adapter.from_bytes(data)


@pytest.mark.parametrize("name", HOSTILE_TENSORS)
def test_tensors_that_are_wrong_are_refused(name: str) -> None:
    """Names, pairs, shapes, precision and values are checked before they are believed."""
    with pytest.raises(AdapterFileError, match=r"^its tensor|^it has no LoRA"):
        Adapter.from_bytes(with_tensors(made().to_bytes(), HOSTILE_TENSORS[name]))


def test_a_file_of_another_tool_is_named_as_such() -> None:
    """A safetensors file without our header is told from a damaged one."""
    data = safetensors.torch.save({"lora_unet_x.alpha": torch.ones(1)})

    with pytest.raises(AdapterFileError, match="another tool"):
        Adapter.from_bytes(data)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The error names the path and says that there is nothing."""
    with pytest.raises(AdapterFileError, match=r"gone\.safetensors.*no such file"):
        Adapter.load(tmp_path / "gone.safetensors")


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "x" * 5000])
def test_a_name_that_can_be_no_file_is_refused(name: str) -> None:
    """Whatever a path holds, the answer is one sentence."""
    with pytest.raises(AdapterFileError, match="cannot be used"):
        Adapter.load(name)


def test_only_files_are_read(tmp_path: Path) -> None:
    """Of a pipe or a device, which may never end, nothing is read."""
    os.mkfifo(tmp_path / "pipe")

    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(AdapterFileError, match="no file, but a folder, a pipe or a device"):
            Adapter.load(path)


def test_reading_takes_twice_the_file(tmp_path: Path) -> None:
    """The file and the tensors made of it: nothing else is as large."""
    wide = Pair(torch.zeros(4, 1 << 18).half(), torch.zeros(1 << 18, 4).half())
    large = dataclasses.replace(made(), lora=Weights.of({"a": wide, "b": wide}))
    large.save(tmp_path / "large.safetensors")

    tracemalloc.start()
    try:
        Adapter.load(tmp_path / "large.safetensors")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 2.1 * (tmp_path / "large.safetensors").stat().st_size


def peak_of(data: bytes) -> int:
    """Return how many bytes reading a hostile file takes beside it; it may be refused."""
    tracemalloc.start()
    try:
        with contextlib.suppress(AdapterFileError):
            Adapter.from_bytes(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("each", ["{}", "[]", '{"a":{}}', '"ab"', "1.5", '"[,\\""'])
def test_a_header_of_many_values_takes_little(each: str) -> None:
    """Each value takes far more memory than its text; that of millions is refused unread."""
    text = '{"__metadata__":[' + ",".join([each] * (8_000_000 // (len(each) + 1)))
    data = len(text).to_bytes(8, "little") + text.encode()

    assert peak_of(data) < 2 * len(data) + 50_000_000


def test_a_header_may_say_much_in_few_words() -> None:
    """What stands inside of texts is not counted as values."""
    later = rewrite(made().to_bytes(), lambda own: own.update({"later": '\\",{[' * 200_000}))

    assert made() == Adapter.from_bytes(later)


def test_a_large_picture_is_decoded_when_it_is_used() -> None:
    """An input of few bytes and many pixels takes its room in an edit, not in reading its file."""
    record = dataclasses.replace(made().record, width=8192, height=4096, frame=None)
    picture = to_png(Image.new("1", (8192, 4096)))
    adapter = dataclasses.replace(made(), record=record, picture=picture)

    assert peak_of(adapter.to_bytes()) < 50_000_000
    assert "input" not in vars(Adapter.from_bytes(adapter.to_bytes()))


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    """A file beyond the limit is refused by its size alone."""
    path = tmp_path / "huge.safetensors"
    with path.open("wb") as file:
        file.truncate((1 << 30) + 1)

    with pytest.raises(AdapterFileError, match="at most"):
        Adapter.load(path)


def test_plain_diffusers_loads_the_file(
    adapter: Callable[[Kind], Adapter],
    editor: Callable[[Kind], ImagicEditor],
    folder: Callable[[Kind], Path],
    tmp_path: Path,
) -> None:
    """StableDiffusionPipeline.load_lora_weights takes the same file and gives the same output."""
    adapter("sd1").save(tmp_path / "a.safetensors")
    pipeline = StableDiffusionPipeline.from_pretrained(folder("sd1"))
    pipeline.load_lora_weights(tmp_path, weight_name="a.safetensors", adapter_name="ours")
    x_t, t = torch.randn(1, 4, 16, 16), torch.tensor([500])
    tokens = adapter("sd1").conditioning.tokens.float()

    with torch.no_grad():
        theirs = pipeline.unet(x_t, t, tokens).sample
        model = editor("sd1").model
        plain = model.denoiser(x_t, t, tokens).sample
        with Slots(model.denoiser).holding([adapter("sd1").lora], torch.device("cpu")):
            ours = model.denoiser(x_t, t, tokens).sample

    torch.testing.assert_close(theirs, ours)
    assert not torch.allclose(plain, ours)
