"""A captioner of transformers, small and untrained, saved and loaded as a real one."""

from pathlib import Path

import pytest
from PIL import Image
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import (
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessor,
    BlipProcessor,
    PreTrainedTokenizerFast,
)

from imagic_lora import Adapter, ModelError, describe_image
from tests.support.command import Command, runner

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "cat", "on", "mat"]
MARKS = {f"{mark.lower()}_token": f"[{mark}]" for mark in ("PAD", "UNK", "CLS", "SEP")}
NARROW = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "projection_dim": 16,
}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """Give a function that runs the command line."""
    return runner(capsys)


@pytest.fixture(scope="module")
def captioner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a captioner that says "cat", whatever it is shown."""
    folder = tmp_path_factory.mktemp("models") / "tiny-blip"
    words = Tokenizer(WordLevel({word: index for index, word in enumerate(WORDS)}, "[UNK]"))
    words.pre_tokenizer = Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, **MARKS)
    ids = {"bos_token_id": 2, "eos_token_id": 3, "sep_token_id": 3, "pad_token_id": 0}
    config = BlipConfig(
        text_config={**NARROW, **ids, "vocab_size": len(WORDS), "encoder_hidden_size": 16},
        vision_config={**NARROW, "image_size": 32, "patch_size": 16},
        projection_dim=16,
    )
    model = BlipForConditionalGeneration(config)
    model.text_decoder.cls.predictions.bias.data[WORDS.index("cat")] = 100
    model.save_pretrained(folder)
    images = BlipImageProcessor(size={"height": 32, "width": 32})
    BlipProcessor(images, tokenizer).save_pretrained(folder)
    return folder


def test_a_captioner_says_what_it_sees(captioner: Path, picture: Image.Image) -> None:
    """Its words are the caption, without its marks."""
    assert {"cat"} == set(describe_image(picture, captioner).split())


@pytest.mark.parametrize("name", ["nobody/nothing", "no-such-folder"])
def test_a_captioner_that_is_not_there_is_named(name: str, picture: Image.Image) -> None:
    """And how to get one."""
    with pytest.raises(ModelError, match=f"{name}.*not installed.*hf download"):
        describe_image(picture, name)


def test_a_fit_takes_the_caption_from_it(
    captioner: Path, picture: Image.Image, run: Command, tmp_path: Path
) -> None:
    """On the command line too, in place of one that is given."""
    picture.save(tmp_path / "picture.png")
    words = ("fit", tmp_path / "picture.png", "--captioner", captioner, "-o", "a.safetensors")

    done = run(*words[:-1], tmp_path / "a.safetensors", "--steps", 1, "--model", "demo")
    both = run(*words, "--source", "a cat")

    assert 0 == done.code
    assert "cat" in Adapter.load(tmp_path / "a.safetensors").record.source
    assert "not allowed with" in both.error


def test_a_folder_that_holds_something_else_is_refused(
    tmp_path: Path, picture: Image.Image
) -> None:
    """Without the path to it."""
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match=f"captioner '{tmp_path.name}'"):
        describe_image(picture, tmp_path)
