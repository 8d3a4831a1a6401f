"""Scorers of transformers, small and untrained, saved and loaded as real ones."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import AutoModel, AutoProcessor, CLIPProcessor, SiglipConfig, SiglipModel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from imagic_lora import (
    Adapter,
    EditSettings,
    FitSettings,
    ImagicEditor,
    ModelError,
    PictureScorer,
    PromptError,
)
from imagic_lora.models.scorer import Leaning
from tests.bench.networks import clip
from tests.support.command import runner
from tests.support.tiny import Kind, tokenizer

QUICK = EditSettings(steps=1)
NARROW = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}
pytestmark = pytest.mark.filterwarnings("ignore::imagic_lora.ImagicWarning")


def save_clip(folder: Path) -> Path:
    """Save a CLIP with its processor."""
    clip(folder)
    images = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=32)
    CLIPProcessor(images, tokenizer()).save_pretrained(folder)
    return folder


def save_siglip(folder: Path) -> Path:
    """Save a SigLIP with its parts."""
    words = tokenizer()
    config = SiglipConfig(
        text_config={**NARROW, "vocab_size": len(words), "max_position_embeddings": 77},
        vision_config={**NARROW, "image_size": 32, "patch_size": 16},
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        SiglipModel(config).save_pretrained(folder)
    SiglipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=[save_clip, save_siglip])
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a scorer of each kind."""
    save: Callable[[Path], Path] = request.param
    return save(tmp_path_factory.mktemp("models") / save.__name__)


def leaning(folder: Path, image: Image.Image, source: str, target: str) -> float:
    """Return by how much an image fits a target better than a source, by the cosines themselves."""
    model = AutoModel.from_pretrained(folder).eval()
    processor = AutoProcessor.from_pretrained(folder)
    inputs = processor(
        text=[source, target], images=[image], padding="max_length", return_tensors="pt"
    )
    with torch.no_grad():
        found = model(**inputs)
        cosines = found.text_embeds @ found.image_embeds[0]
        return float(model.logit_scale.exp() * (cosines[1] - cosines[0]))


def test_the_strength_is_found_by_a_scorer(
    saved: Path, editor: Callable[[Kind], ImagicEditor], adapter: Callable[[Kind], Adapter]
) -> None:
    """What is left of each edit is reckoned from the caption and the target, on its own picture."""
    sd1, fitted = editor("sd1"), adapter("sd1")
    scorer = PictureScorer(saved)

    found = sd1.find_alpha(
        fitted, alphas=(0.5, 1.0, 4.0), target="a cat", scorer=scorer, settings=QUICK
    )

    source = found.edits[0].shared or fitted.record.source
    before, *after = (
        leaning(saved, image, source, "a cat")
        for image in (sd1.input_image(fitted), *(edit.image for edit in found.edits))
    )
    depth = max(-before, 1.0)
    assert [pytest.approx((depth - one) / (2 * depth), abs=1e-4) for one in after] == list(
        found.pulls
    )
    assert "the scorer" in found.explain() + found.doubt
    assert "base model" not in found.explain() + found.doubt


def test_an_edit_is_done_when_the_scorer_is_as_sure_as_it_was_of_the_caption() -> None:
    """Halfway it is in doubt between the two; an input that leans nowhere gives nothing to go by."""
    before = Leaning(-3.0)
    assert [1.0, 0.5, 0.0, -0.5] == [Leaning(x).remaining(before) for x in (-3.0, 0.0, 3.0, 6.0)]
    assert 0.5 == Leaning(0.0).remaining(Leaning(0.0))
    assert [0.0, 0.5, 1.0] == [round(Leaning(x).place, 9) for x in (-1e4, 0.0, 1e4)]


def test_a_scorer_needs_a_caption(
    saved: Path, editor: Callable[[Kind], ImagicEditor], picture: Image.Image
) -> None:
    """Without one there is nothing that an edit leads away from, which is said at once."""
    settings = FitSettings(steps=1, rank=1)
    fitted = editor("sd1").fit(picture, source="", target="a cat", settings=settings)

    with pytest.raises(PromptError, match="this fit has none"):
        editor("sd1").find_alpha(fitted, scorer=PictureScorer(saved), settings=QUICK)


@pytest.mark.parametrize("name", ["nobody/nothing", "no such folder", "a" * 300])
def test_a_scorer_that_is_not_there_is_said(name: str) -> None:
    """The sentence says how to fetch one."""
    with pytest.raises(ModelError, match=r"is not installed.*hf download"):
        PictureScorer(name)


@pytest.mark.usefixtures("tiny")
def test_the_command_line_asks_a_scorer(
    saved: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    adapter: Callable[[Kind], Adapter],
) -> None:
    """It is named in what was found; where every strength is given it is refused before any work."""
    fit, found, given = (tmp_path / name for name in ("fit.safetensors", "found.png", "given.png"))
    adapter("sd1").save(fit)
    words = ("edit", fit, "--target", "a cat", "--scorer", saved, "--steps", 1)
    run = runner(capsys)

    done = run(*words, "-o", found)
    refused = run(*words, "--alpha", 1, "-o", given)

    assert 0 == done.code
    assert found.exists()
    assert "the scorer" in done.err
    assert "ask for --alpha auto" in refused.error
    assert not given.exists()
