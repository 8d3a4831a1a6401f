"""What holds for what edits are held against: each is given the same, and one that fails is told."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from diffusers import StableDiffusionInstructPix2PixPipeline, UNet2DConditionModel
from PIL import Image

from imagic_lora import ImagicEditor
from imagic_lora.bench import rows
from imagic_lora.bench.inputs import Inputs
from imagic_lora.bench.items import Item
from imagic_lora.bench.rivals.base import Lent, Paint, Rival
from imagic_lora.bench.rivals.instruct import InstructPix2Pix
from imagic_lora.bench.rivals.painting import Painting, Work
from imagic_lora.errors import InputError, ModelError
from imagic_lora.runs.events import Landed
from imagic_lora.runs.folder import Folder
from imagic_lora.runs.jobs import Shard
from tests.bench import layouts
from tests.support.tiny import Kind, build


@dataclass(frozen=True)
class Mirror:
    """Mirrors pictures; fails where it is told to."""

    row: str = "mirror"
    shut: bool = False

    def open(self, lent: Lent) -> Paint:  # noqa: ARG002  it needs no model
        """Return what mirrors."""
        if self.shut:
            raise ModelError("It is not there.")

        def paint(picture: Image.Image, item: Item) -> Image.Image:
            if item.name == "bad":
                raise ZeroDivisionError("oh")
            return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)

        return paint


@pytest.fixture
def lent(editor: Callable[[Kind], ImagicEditor]) -> Lent:
    """Lend a tiny model."""
    found = Lent("tiny")
    found.__dict__["editor"] = editor("sd1")
    return found


@pytest.fixture
def painting(lent: Lent, folder: Callable[[Kind], Path], tmp_path: Path) -> Callable[..., Painting]:
    """Give a function that has rivals paint two items, one of them bad."""
    path = layouts.picture(tmp_path / "a.png")
    items = [Item(name, "any", path, "a target", f"{name}.png") for name in ("good", "bad")]
    inputs = Inputs(folder("sd1"), tmp_path / "inputs")

    def of(*rivals: Rival) -> Painting:
        works = [Work(rival, item, n) for rival in rivals for n, item in enumerate(items)]
        return Painting(works, inputs, Folder(tmp_path / "out", Shard()), lent, "tiny")

    return of


def test_what_a_rival_cannot_paint_stops_no_other(painting: Callable[..., Painting]) -> None:
    """It ends as an outcome with its reason; so do all items of a rival that is not there."""
    told: list[tuple[str, str]] = []

    def note(landed: Landed) -> None:
        told.append((landed.outcome.id, landed.outcome.brief))

    failed = painting(Mirror("closed", shut=True), Mirror()).go(note)

    assert 3 == failed
    assert [
        ("closed/00000", "It is not there."),
        ("closed/00001", "It is not there."),
        ("mirror/00000", ""),
        ("mirror/00001", "ZeroDivisionError: oh"),
    ] == told
    assert ["mirror/00000"] == [work.name for work in painting(Mirror()).done()]
    told.clear()
    assert 1 == painting(Mirror()).go(note)
    assert [("mirror/00001", "ZeroDivisionError: oh")] == told


def test_pictures_of_other_settings_are_not_mixed(painting: Callable[..., Painting]) -> None:
    """What was made of something else is refused, and made anew by force alone."""
    painting(Mirror()).go(lambda _: None)
    changed = replace(painting(Mirror()), model="another")

    assert 1 == len(painting(Mirror()).done())
    with pytest.raises(InputError, match=r"1 pictures in .* something else .* mirror/00000.png"):
        changed.go(lambda _: None)
    assert 1 == changed.go(lambda _: None, force=True)
    assert 1 == len(changed.done())


def test_instruct_pix2pix_is_given_the_instruction(
    lent: Lent, picture: Image.Image, tmp_path: Path
) -> None:
    """And nothing else of an item; the same instruction gives the same picture."""
    parts = build("sd1")
    StableDiffusionInstructPix2PixPipeline(
        vae=parts.vae,
        text_encoder=parts.text_encoder,
        tokenizer=parts.tokenizer,
        unet=UNet2DConditionModel.from_config(parts.unet.config, in_channels=8),
        scheduler=parts.scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(tmp_path)
    item = Item("1", "any", tmp_path, "a cat", "1.png", instruction="a dog")

    paint = InstructPix2Pix(str(tmp_path), steps=1).open(lent)

    first = paint(picture, item)
    assert picture.size == first.size
    assert first.tobytes() == paint(picture, replace(item, target="a fox")).tobytes()
    assert first.tobytes() != paint(picture, replace(item, instruction="a cat")).tobytes()


def test_rows_are_what_model_and_set_have(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is not there is left out, or refused where it was asked for by name."""
    family = SimpleNamespace(pipelines=("SomePipeline",))
    monkeypatch.setattr(rows, "find_blueprint", lambda _: SimpleNamespace(family=family))
    (tmp_path / "model_index.json").write_text("{}")
    item = Item("1", "any", tmp_path, "a cat", "1.png", instruction="a dog")
    bare = replace(item, instruction="")

    found = rows.methods_of((), "model", str(tmp_path), [item])

    assert ("img2img", "instruct_pix2pix") == found[-2:]
    assert "instruct_pix2pix" not in rows.methods_of((), "model", str(tmp_path), [item, bare])
    with pytest.raises(InputError, match=r"'ledits_pp' was asked for, but diffusers has no"):
        rows.methods_of(("ledits_pp",), "model", None, [item])
    with pytest.raises(InputError, match="the benchmark has no instructions"):
        rows.methods_of(("instruct_pix2pix",), "model", str(tmp_path), [bare])
