"""Tiny random networks in the true layout, saved as the true ones are."""

from pathlib import Path

import torch
from transformers import (
    CLIPConfig,
    CLIPModel,
    Dinov2Config,
    Dinov2Model,
    ViTConfig,
    ViTModel,
)

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
