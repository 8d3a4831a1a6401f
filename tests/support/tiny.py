"""Tiny pipelines of every family, built from configuration with random weights.

They have the true layout and the true classes, so what loads, fits and edits them does the same
with the real ones.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, get_args

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    FlowMatchEulerDiscreteScheduler,
    Lumina2Pipeline,
    Lumina2Transformer2DModel,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from tokenizers import pre_tokenizers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from imagic_lora.memory import MemoryPlan
from imagic_lora.models.stable_diffusion import StableDiffusion
from tests.support import flow
from tests.support.transformers import build_flux2, build_sd3, build_zimage

Kind = Literal["sd1", "sd2", "sd2-v", "sdxl", "flow", "sd3", "flux2", "zimage"]
KINDS: tuple[Kind, ...] = get_args(Kind)
FLOWS: tuple[Kind, ...] = ("sd3", "flux2", "zimage")
"""Those whose transformer follows a flow, in the layouts of published models."""

UNETS: tuple[Kind, ...] = ("sd1", "sd2", "sd2-v", "sdxl")
"""Those whose denoiser is a UNet that learned to remove noise."""


flow.register()


def build(kind: Kind, seed: int = 0) -> Any:
    """Return a pipeline of one kind: 32-pixel canvas, latents of 16 x 16."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _BUILDERS.get(kind, partial(_build_sd, kind))()


def with_scheduler(scheduler: Any) -> Any:
    """Return the smallest kind as a model whose own scheduler is another.

    Args:
        scheduler: A class of diffusers; it is made for the same noise schedule.
    """
    pipeline = build("sd1")
    pipeline.scheduler = scheduler.from_config(pipeline.scheduler.config)
    pipeline.unet.requires_grad_(requires_grad=False)
    return StableDiffusion(pipeline, "tiny", MemoryPlan.automatic("cpu"))


def _build_sd(kind: Kind) -> Any:
    width = 32 if kind == "sd1" else 48
    return StableDiffusionPipeline(
        vae=_autoencoder(),
        text_encoder=CLIPTextModel(_text_config(width)).eval(),
        tokenizer=tokenizer(),
        unet=_unet(width),
        scheduler=_scheduler("v_prediction" if kind == "sd2-v" else "epsilon"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _build_xl() -> Any:
    first, second = _text_config(24), _text_config(32)
    return StableDiffusionXLPipeline(
        vae=_autoencoder(),
        text_encoder=CLIPTextModel(first).eval(),
        text_encoder_2=CLIPTextModelWithProjection(second).eval(),
        tokenizer=tokenizer(),
        tokenizer_2=tokenizer(),
        unet=_unet(
            56,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=6 * 8 + 40,
            transformer_layers_per_block=(1, 2),
        ),
        scheduler=_scheduler("epsilon"),
        force_zeros_for_empty_prompt=True,
    )


def _build_flow() -> Any:
    return Lumina2Pipeline(
        vae=_autoencoder(latent_channels=16, scaling_factor=0.36, shift_factor=0.12),
        text_encoder=CLIPTextModel(_text_config(24)).eval(),
        tokenizer=tokenizer(),
        transformer=_transformer(24),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )


def _transformer(width: int) -> Any:
    return Lumina2Transformer2DModel(
        sample_size=16,
        patch_size=2,
        in_channels=16,
        hidden_size=32,
        num_layers=2,
        num_refiner_layers=1,
        num_attention_heads=2,
        num_kv_heads=1,
        multiple_of=16,
        axes_dim_rope=(8, 4, 4),
        axes_lens=(64, 64, 64),
        cap_feat_dim=width,
    ).eval()


def _autoencoder(**changes: Any) -> Any:
    config = {"latent_channels": 4, **changes}
    return AutoencoderKL(
        block_out_channels=(16, 32),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=4,
        sample_size=32,
        **config,
    ).eval()


def _unet(width: int, **changes: Any) -> Any:
    return UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=8,
        norm_num_groups=8,
        cross_attention_dim=width,
        **changes,
    ).eval()


def _text_config(width: int) -> Any:
    return CLIPTextConfig(
        vocab_size=len(tokenizer()),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=24,
        projection_dim=40,
        bos_token_id=tokenizer().bos_token_id,
        eos_token_id=tokenizer().eos_token_id,
        pad_token_id=tokenizer().pad_token_id,
    )


def _scheduler(prediction: str) -> Any:
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type=prediction,
    )


_BUILDERS: dict[Kind, Callable[[], Any]] = {
    "sdxl": _build_xl,
    "flow": _build_flow,
    "sd3": lambda: build_sd3(_text_config, tokenizer),
    "flux2": build_flux2,
    "zimage": build_zimage,
}


def tokenizer() -> Any:
    """Return a CLIP tokenizer that knows single bytes and nothing more."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*letters, *(letter + "</w>" for letter in letters)]
    vocabulary = {word: index for index, word in enumerate(words)}
    for special in ("<|startoftext|>", "<|endoftext|>"):
        vocabulary[special] = len(vocabulary)
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=24)
