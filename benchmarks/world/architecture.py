"""The parts of the demo model, untrained: a small Stable Diffusion in every respect but size."""

from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

TEXT_WIDTH = 128
TEXT_LENGTH = 48
LATENT_SIZE = 16


def make_vae() -> AutoencoderKL:
    """Pictures (batch, 3, 64, 64) to latents (batch, 4, 16, 16) and back."""
    vae: AutoencoderKL = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(24, 32, 64),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        mid_block_add_attention=False,
        sample_size=64,
    )
    return vae


def make_text_encoder(vocabulary: int, start: int, end: int) -> CLIPTextModel:
    """Token ids (batch, 48) to embeddings (batch, 48, 128)."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocabulary,
            hidden_size=TEXT_WIDTH,
            intermediate_size=4 * TEXT_WIDTH,
            projection_dim=TEXT_WIDTH,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=TEXT_LENGTH,
            bos_token_id=start,
            eos_token_id=end,
            pad_token_id=end,
        )
    )


def make_unet() -> UNet2DConditionModel:
    """Noise prediction for latents (batch, 4, 16, 16).

    On the way down the text is read at 16x16, 8x8 and 4x4, so that attention
    maps exist at every resolution: methods that mask edits with them look at
    the latents' own size or, as LEDITS++ does, at a quarter of it. On the way up
    it is read at 8x8 alone, which saves a third of the time.
    """
    unet: UNet2DConditionModel = UNet2DConditionModel(
        sample_size=LATENT_SIZE,
        in_channels=4,
        out_channels=4,
        layers_per_block=1,
        block_out_channels=(48, 96, 192),
        down_block_types=("CrossAttnDownBlock2D",) * 3,
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,  # diffusers reads this as the number of heads
        norm_num_groups=16,
    )
    return unet


def make_scheduler() -> DDIMScheduler:
    """The noise schedule of Stable Diffusion 1.x."""
    scheduler: DDIMScheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        num_train_timesteps=1000,
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="epsilon",
    )
    return scheduler
