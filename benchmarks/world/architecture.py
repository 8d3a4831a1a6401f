"""The parts of the demo model, untrained: a small Stable Diffusion in every respect but size."""

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch import nn
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


def make_unet(widths: tuple[int, int, int] = (48, 96, 192)) -> UNet2DConditionModel:
    """Prediction for latents (batch, 4, 16, 16), of so many channels at 16x16, 8x8 and 4x4.

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
        block_out_channels=widths,
        down_block_types=("CrossAttnDownBlock2D",) * 3,
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,  # diffusers reads this as the number of heads
        norm_num_groups=16,
    )
    return unet


def make_scheduler(*, velocity: bool = False) -> DDIMScheduler:
    """The noise schedule of Stable Diffusion 1.x, or what later models made of it.

    Args:
        velocity: Whether the model predicts velocities down to no signal at all, rather than noise.

    Source of the latter: Lin et al. 2023, arXiv 2305.08891.
    """
    scheduler: DDIMScheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        num_train_timesteps=1000,
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="v_prediction" if velocity else "epsilon",
        rescale_betas_zero_snr=velocity,
        timestep_spacing="trailing" if velocity else "leading",
    )
    return scheduler


@torch.no_grad()
def narrow(module: nn.Module, wider: nn.Module) -> None:
    """Fill a module with the weights of one whose layers may be wider by half.

    Of every three channels the first two are taken, so that each group of a normalisation and each
    head of an attention keeps its own. What is learned is blurred, but a training that starts from
    it needs a fraction of the steps.
    """
    given = wider.state_dict()
    for name, weight in module.state_dict().items():
        found = given[name]
        for axis, (here, there) in enumerate(zip(weight.shape, found.shape, strict=True)):
            if here != there:
                taken = torch.arange(there, device=found.device)
                found = found.index_select(axis, taken[taken % 3 < 2])
                # As much comes in as before.
                found = found * (there / here if axis == 1 else 1)
        weight.copy_(found)
