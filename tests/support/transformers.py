"""Tiny pipelines of the families whose transformer follows a flow, in their true layouts."""

from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLFlux2,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    ZImagePipeline,
    ZImageTransformer2DModel,
)
from tokenizers import pre_tokenizers
from transformers import (
    CLIPTextModelWithProjection,
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.content }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>{% endif %}{% if not enable_thinking %}!{% endif %}"
)
"""As short as a chat can be, since every letter is a token."""


def build_sd3(text_config: Any, clip: Any) -> StableDiffusion3Pipeline:
    """Return a tiny Stable Diffusion 3.5.

    Args:
        text_config: Makes the configuration of a CLIP text encoder of a width.
        clip: Makes CLIP's tokenizer.
    """
    words = T5Tokenizer(
        vocab=[(word, 0.0) for word in ("<pad>", "</s>", "<unk>", "▁")]
        + [(chr(code), -1.0) for code in range(33, 127)],
        extra_ids=0,
        model_max_length=32,
    )
    config = T5Config(vocab_size=len(words), d_model=32, d_kv=8, d_ff=32, num_layers=2, num_heads=4)
    transformer = SD3Transformer2DModel(
        sample_size=16,
        patch_size=2,
        in_channels=16,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        caption_projection_dim=32,
        pooled_projection_dim=12 + 16,
        pos_embed_max_size=24,
        dual_attention_layers=(0,),
        qk_norm="rms_norm",
    )
    first, second = (
        CLIPTextModelWithProjection(_as_wide_as_it_is(text_config(width))) for width in (12, 16)
    )
    # As published: files of several parts leave it out.
    first.text_projection.weight.data = torch.eye(12)
    return StableDiffusion3Pipeline(
        transformer=transformer.eval(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=_autoencoder(scaling_factor=1.5305, shift_factor=0.0609),
        text_encoder=first.eval(),
        text_encoder_2=second.eval(),
        text_encoder_3=T5EncoderModel(config).eval(),
        tokenizer=clip(),
        tokenizer_2=clip(),
        tokenizer_3=words,
    )


def _as_wide_as_it_is(config: Any) -> Any:
    """Return the configuration of a CLIP whose projection leaves the width as it is."""
    config.projection_dim = config.hidden_size
    return config


def build_flux2() -> Flux2KleinPipeline:
    """Return a tiny FLUX.2 klein."""
    autoencoder = AutoencoderKLFlux2(
        block_out_channels=(16, 32),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=32,
    )
    # As it comes, a forgotten batch norm would not show.
    autoencoder.bn.running_mean.copy_(torch.randn(16))
    autoencoder.bn.running_var.copy_(0.5 + torch.rand(16))
    transformer = Flux2Transformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=96,
        timestep_guidance_channels=32,
        axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=False,
    )
    # As they come, adapters and prompts would hardly show.
    with torch.no_grad():
        autoencoder.decoder.conv_out.weight.mul_(4)
        transformer.proj_out.weight.mul_(2.25)
        for name, weight in transformer.named_parameters():
            if "stream_modulation" in name and name.endswith("weight"):
                weight.mul_(4)
    return Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        vae=autoencoder.eval(),
        text_encoder=Qwen3ForCausalLM(_language_config()).eval(),
        tokenizer=_letters(),
        transformer=transformer.eval(),
    )


def build_zimage() -> ZImagePipeline:
    """Return a tiny Z-Image."""
    transformer = ZImageTransformer2DModel(
        in_channels=16,
        dim=32,
        n_layers=2,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=32,
        axes_dims=(8, 4, 4),
        axes_lens=(256, 32, 32),
    )
    with torch.no_grad():
        transformer.x_pad_token.fill_(1)
        transformer.cap_pad_token.fill_(1)
    return ZImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=6.0),
        vae=_autoencoder(scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=Qwen3Model(_language_config()).eval(),
        tokenizer=_letters(),
        transformer=transformer.eval(),
    )


def _autoencoder(**changes: Any) -> Any:
    return AutoencoderKL(
        block_out_channels=(16, 32),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=16,
        norm_num_groups=4,
        sample_size=32,
        use_quant_conv=False,
        use_post_quant_conv=False,
        **changes,
    ).eval()


def _language_config() -> Any:
    return Qwen3Config(
        vocab_size=len(_letters()),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
    )


def _letters() -> Any:
    """Return a Qwen tokenizer that knows single bytes and nothing more."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: index for index, letter in enumerate(letters)}
    for special in ("<|endoftext|>", "<|im_start|>", "<|im_end|>"):
        vocabulary[special] = len(vocabulary)
    made = Qwen2Tokenizer(
        vocab=vocabulary,
        merges=[],
        model_max_length=40,
    )
    made.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    made.chat_template = _TEMPLATE
    made.padding_side = "right"
    return made


def velocity(
    transformer: Any,
    x_t: torch.Tensor,
    t: torch.Tensor,
    tokens: torch.Tensor,
    pooled: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return a transformer's velocity as its own plain pipeline asks for it.

    Args:
        transformer: The transformer of any of these families.
        x_t: Noisy latents, shape (B, C, h, w).
        t: Noise levels, shape (B,).
        tokens: Token embeddings, shape (B, tokens, width), all of which count.
        pooled: Pooled embeddings, where the family has them.
    """
    if isinstance(transformer, Flux2Transformer2DModel):
        return _velocity_of_klein(transformer, x_t, t, tokens)
    found: torch.Tensor
    if isinstance(transformer, SD3Transformer2DModel):
        found = transformer(x_t, tokens, pooled, 1000 * t).sample
    elif isinstance(transformer, ZImageTransformer2DModel):
        found = -torch.stack(transformer(list(x_t[:, :, None]), 1 - t, list(tokens)).sample)[
            :, :, 0
        ]
    else:
        every = torch.ones(tokens.shape[:2], dtype=torch.bool)
        found = -transformer(x_t, 1 - t, tokens, every).sample
    return found


def _velocity_of_klein(
    transformer: Any, x_t: torch.Tensor, t: torch.Tensor, tokens: torch.Tensor
) -> torch.Tensor:
    klein: Any = Flux2KleinPipeline
    patches = klein._patchify_latents(x_t)
    places = klein._prepare_latent_ids(patches)
    words = klein._prepare_text_ids(tokens)
    found = transformer(klein._pack_latents(patches), tokens, t, places, words).sample
    whole: torch.Tensor = klein._unpatchify_latents(klein._unpack_latents_with_ids(found, places))
    return whole
