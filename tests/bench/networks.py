"""Tiny random networks in the true layout, saved as the true ones are."""

from pathlib import Path

import torch
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPVisionConfig,
    Dinov2Config,
    Dinov2Model,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    ViTConfig,
    ViTModel,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from tests.support.tiny import tokenizer

_SMALL = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 16}


def clip(folder: Path) -> Path:
    """Save a CLIP model with its tokenizer."""
    words = tokenizer()
    text = {**_SMALL, "intermediate_size": 32, "vocab_size": len(words)}
    text |= {"bos_token_id": words.bos_token_id, "eos_token_id": words.eos_token_id}
    vision = {**_SMALL, "intermediate_size": 32, "image_size": 32, "patch_size": 8}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        CLIPModel(config).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def dino(folder: Path) -> Path:
    """Save a ViT with the patches of DINO's ViT-B/8."""
    config = ViTConfig(**_SMALL, intermediate_size=32, image_size=224, patch_size=8)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        ViTModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def dinov2(folder: Path) -> Path:
    """Save a DINOv2 model."""
    config = Dinov2Config(**_SMALL, image_size=518, patch_size=14)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        Dinov2Model(config).save_pretrained(folder)
    return folder


CHAT = (
    "{% for message in messages %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endfor %}"
)


def llava(folder: Path) -> Path:
    """Save a model that reads pictures and text, with its processor; it answers one token."""
    words = tokenizer()
    words.add_special_tokens({"additional_special_tokens": ["<image>"]})
    words.model_max_length = 4096
    tower = CLIPVisionConfig(**_SMALL, intermediate_size=32, image_size=32, patch_size=8)
    text = LlamaConfig(
        **_SMALL,
        intermediate_size=32,
        num_key_value_heads=2,
        vocab_size=len(words),
        max_position_embeddings=4096,
    )
    image = words.convert_tokens_to_ids("<image>")
    config = LlavaConfig(vision_config=tower, text_config=text, image_token_index=image)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = LlavaForConditionalGeneration(config)
    network.generation_config.eos_token_id = [*range(len(words))]
    network.generation_config.pad_token_id = words.pad_token_id
    network.save_pretrained(folder)
    side = {"height": 32, "width": 32}
    pictures = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=side)
    LlavaProcessor(
        pictures,
        words,
        patch_size=8,
        vision_feature_select_strategy="default",
        chat_template=CHAT,
        num_additional_image_tokens=1,
    ).save_pretrained(folder)
    return folder
