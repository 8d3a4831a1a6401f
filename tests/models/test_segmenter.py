"""A segmenter of transformers, small and untrained, saved and loaded as a real one."""

from pathlib import Path

import pytest
from PIL import Image
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import (
    CLIPSegConfig,
    CLIPSegForImageSegmentation,
    CLIPSegProcessor,
    PreTrainedTokenizerFast,
    ViTImageProcessor,
)

from imagic_lora.models.segmenter import segment

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "hat"]
NARROW = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a segmenter that knows nothing, so that it is in doubt everywhere."""
    folder = tmp_path_factory.mktemp("models") / "tiny-clipseg"
    words = Tokenizer(WordLevel({word: index for index, word in enumerate(WORDS)}, "[UNK]"))
    words.pre_tokenizer = Whitespace()
    marks = {"pad_token": "[PAD]", "unk_token": "[UNK]", "eos_token": "[SEP]"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, **marks)
    ids = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
    config = CLIPSegConfig(
        text_config={**NARROW, **ids, "vocab_size": len(WORDS)},
        vision_config={**NARROW, "image_size": 32, "patch_size": 16},
        projection_dim=16,
        extract_layers=[0, 1],
        reduce_dim=8,
        decoder_num_attention_heads=2,
        decoder_intermediate_size=16,
    )
    CLIPSegForImageSegmentation(config).save_pretrained(folder)
    images = ViTImageProcessor(size={"height": 32, "width": 32})
    CLIPSegProcessor(images, tokenizer).save_pretrained(folder)
    return folder


def test_a_segmenter_gives_a_mask_of_the_picture(segmenter: Path) -> None:
    """Whatever size it works at, the mask has that of the picture."""
    found = segment(Image.new("RGB", (48, 40), "teal"), "the hat", segmenter)

    assert found is not None
    assert ("L", (48, 40)) == (found.mode, found.size)


@pytest.mark.parametrize("name", ["nobody/nothing", "no-such-folder"])
def test_a_segmenter_that_is_not_there_finds_nothing(name: str) -> None:
    """Nothing is downloaded, and nothing fails: there are other ways to find a mask."""
    assert segment(Image.new("RGB", (32, 32)), "the hat", name) is None
