"""What holds for every metric, and each formula against arithmetic of its own."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from transformers import CLIPModel, ViTModel

from imagic_lora.bench.items import Item
from imagic_lora.bench.masks import Mask
from imagic_lora.bench.metrics.base import Pair
from imagic_lora.bench.metrics.clip import Clip
from imagic_lora.bench.metrics.dino import Identity, Structure, scaled
from imagic_lora.bench.metrics.lpips import Lpips
from imagic_lora.bench.metrics.pixels import BEST_PSNR, Pixels
from imagic_lora.errors import InputError, ModelError
from tests.bench import layouts, networks
from tests.support.tiny import tokenizer

SIDE = 512
HALF = Mask((0, SIDE * SIDE // 2))
ALL = Mask((0, SIDE * SIDE))


@pytest.fixture(scope="module")
def item(tmp_path_factory: pytest.TempPathFactory) -> Item:
    """Give an item whose edit belongs into the upper half."""
    path = layouts.picture(tmp_path_factory.mktemp("item") / "a.png", (SIDE, SIDE))
    return Item("a", "any", path, "a cat with a hat", "a.png", source="a cat", mask=HALF)


@pytest.fixture(scope="module")
def edited() -> Image.Image:
    """Give a picture that differs from the input everywhere."""
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3))
    return Image.fromarray(noise.astype(np.uint8))


def swapped(pair: Pair) -> Pair:
    """Return a pair the other way round."""
    return Pair(pair.item, pair.after, pair.before)


def test_pictures_are_brought_to_the_size_of_the_input(item: Item) -> None:
    """Of pictures side by side the last is taken; of another size one is scaled."""
    strip = Image.new("RGB", (3 * SIDE, SIDE), "red")
    strip.paste("blue", (2 * SIDE, 0, 3 * SIDE, SIDE))

    assert ((0, 0), (0, 0), (255, 255)) == Pair.of(item, strip).after.getextrema()
    assert (SIDE, SIDE) == Pair.of(item, Image.new("L", (64, 32))).after.size


def test_psnr_ssim_and_mse_are_of_what_should_stay(item: Item, edited: Image.Image) -> None:
    """Both pictures are black where the edit belongs, and the mean is over all pixels."""
    pair = Pair.of(item, edited)
    before, after = (np.asarray(one, np.float64) / 255 for one in (pair.before, pair.after))
    kept = ~HALF.decode()[..., None]
    error = float((((before - after) * kept) ** 2).mean())

    found = Pixels().score(pair)

    assert pytest.approx(error, rel=1e-5) == found["mse"]
    assert pytest.approx(-10 * np.log10(error), rel=1e-5) == found["psnr"]
    assert pytest.approx(found) == Pixels().score(swapped(pair))
    assert found["ssim"] != pytest.approx(1.0, abs=0.1)


def test_equal_pictures_score_the_most_and_a_full_mask_nothing(item: Item) -> None:
    """No mean becomes infinite, and what a mask leaves nothing of is left out."""
    same = Pair.of(item, Image.open(item.picture))
    full = Pair.of(replace(item, mask=ALL), Image.open(item.picture))

    expected = {"psnr": BEST_PSNR, "ssim": 1.0, "mse": 0.0}
    assert pytest.approx(expected, abs=1e-5) == Pixels().score(same)
    assert {"psnr": None, "ssim": None, "mse": None} == Pixels().score(full)
    assert {"lpips_squeeze": None} == Lpips("squeeze").score(full)


def test_clip_is_the_product_of_the_models_own_embeddings(
    item: Item, edited: Image.Image, tmp_path: Path
) -> None:
    """The score is that of one forward pass of the model, and of black outside the edited part."""
    folder = networks.clip(tmp_path)
    pair = Pair.of(item, edited)
    model = CLIPModel.from_pretrained(folder).eval()
    mean, std = np.array(
        [[0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]]
    )
    part = Image.fromarray(np.asarray(edited) * HALF.decode()[..., None])
    small = [p.resize((32, 32), Image.Resampling.BICUBIC) for p in (edited, pair.before, part)]
    pixels = np.stack([((np.asarray(one) / 255 - mean) / std).transpose(2, 0, 1) for one in small])
    tokens = tokenizer()(["a cat with a hat", "a cat"], padding=True, return_tensors="pt")
    with torch.no_grad():
        output = model(pixel_values=torch.tensor(pixels, dtype=torch.float32), **tokens)
    images, texts = output.image_embeds.numpy(), output.text_embeds.numpy()
    moved, meant = images[0] - images[1], texts[0] - texts[1]

    found = Clip(str(folder)).score(pair)

    assert pytest.approx(100 * images[0] @ texts[0], abs=1e-3) == found["clip"]
    assert pytest.approx(100 * images[2] @ texts[0], abs=1e-3) == found["clip_edited"]
    direction = moved @ meant / np.linalg.norm(moved) / np.linalg.norm(meant)
    assert pytest.approx(direction, abs=1e-4) == found["clip_direction"]


def test_clip_needs_neither_masks_nor_captions(
    item: Item, edited: Image.Image, tmp_path: Path
) -> None:
    """Without them there are fewer scores; the way back is the opposite direction."""
    clip = Clip(str(networks.clip(tmp_path)), "_b16")
    pair = Pair.of(item, edited)
    bare = Pair.of(replace(item, mask=None, source=None), edited)
    there, back = (clip.score(one)["clip_direction_b16"] for one in (pair, swapped(pair)))

    assert ["clip_b16"] == list(clip.score(bare))
    assert there is not None
    assert pytest.approx(-there, abs=1e-5) == back
    assert 0.0 == clip.score(Pair.of(item, pair.before))["clip_direction_b16"]


def test_structure_is_the_distance_of_key_resemblances(
    item: Item, edited: Image.Image, tmp_path: Path
) -> None:
    """It is made of the keys of the last layer, at 224 pixels, with levels as the authors have them."""
    folder = networks.dino(tmp_path)
    model = ViTModel.from_pretrained(folder, add_pooling_layer=False).eval()
    pair = Pair.of(item, edited)

    def resemblance(picture: Image.Image, unit: float) -> npt.NDArray[np.float64]:
        levels = torch.tensor(np.asarray(picture, np.float32)).permute(2, 0, 1)[None] / unit
        small = torch.nn.functional.interpolate(levels, 224, mode="bilinear", antialias=True)
        mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[..., None, None]
        with torch.no_grad():
            states = model((small - mean) / std, output_hidden_states=True).hidden_states[-2]
            layer = model.layers[-1]
            keys = layer.attention.k_proj(layer.layernorm_before(states))[0].double().numpy()
        length = np.linalg.norm(keys, axis=1)
        found: npt.NDArray[np.float64] = keys @ keys.T / np.outer(length, length)
        return found

    found = Structure(str(folder)).score(pair)

    for name, unit in (("structure", 1.0), ("structure_corrected", 255.0)):
        gap = resemblance(pair.before, unit) - resemblance(pair.after, unit)
        assert pytest.approx(float((gap**2).mean()), rel=1e-3) == found[name]
    same = Structure(str(folder)).score(Pair.of(item, pair.before))
    assert {"structure": 0.0, "structure_corrected": 0.0} == same


def test_structure_keeps_the_shape_of_pictures() -> None:
    """The shorter side is 224 pixels, unless the longer one would be over 480."""
    shapes = ((512, 512), (500, 750), (100, 400))
    found = [tuple(scaled(torch.zeros(1, 3, *shape)).shape[2:]) for shape in shapes]

    assert [(224, 224), (224, 336), (120, 480)] == found


def test_identity_is_one_for_equal_pictures(
    item: Item, edited: Image.Image, tmp_path: Path
) -> None:
    """It is a cosine, the same in both orders."""
    identity = Identity(str(networks.dinov2(tmp_path)))
    pair = Pair.of(item, edited)
    other = identity.score(pair)["dino_identity"]

    assert pytest.approx(1.0) == identity.score(Pair.of(item, pair.before))["dino_identity"]
    assert pytest.approx(other) == identity.score(swapped(pair))["dino_identity"]
    assert other is not None
    assert other < 1


def test_lpips_is_of_what_should_stay(item: Item, edited: Image.Image) -> None:
    """The network is given levels of -1 to 1, black where the edit belongs."""
    lpips = Lpips("squeeze", 64)
    seen: list[torch.Tensor] = []

    def network(after: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
        seen.extend((after, before))
        return (after - before).abs().mean()

    lpips.__dict__["network"] = network
    found = lpips.score(Pair.of(item, edited))

    assert ["lpips_squeeze_64"] == list(found)
    assert [(1, 3, 64, 64)] * 2 == [tuple(one.shape) for one in seen]
    assert {-1.0} == {float(one[..., :28, :].max()) for one in seen}
    assert all(float(one.max()) > 0 for one in seen)


def test_lpips_without_torchvision_says_what_to_do(
    item: Item, edited: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence names both packages and the way to do without."""
    monkeypatch.setitem(sys.modules, "torchmetrics.image.lpip", None)

    with pytest.raises(InputError, match="torchvision of the same build as torch"):
        Lpips("squeeze").score(Pair.of(item, edited))


def test_weights_that_are_not_there_are_one_sentence(
    item: Item, edited: Image.Image, tmp_path: Path
) -> None:
    """It says which scorer wanted them, and how to give or to leave them."""
    with pytest.raises(ModelError, match=r"CLIP weights .* --weights clip=FOLDER"):
        Clip(str(tmp_path / "none")).score(Pair.of(item, edited))
