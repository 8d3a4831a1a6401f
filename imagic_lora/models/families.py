"""The families of models as data: one row for each, and nothing else has to spell its name.

It imports nothing heavy, so that whoever reads or writes a file may ask it.
"""

from imagic_lora.errors import ModelError, near_match
from imagic_lora.models.family import Architecture, Family

_UNET = ("diffusers.UNet2DConditionModel",)
_VAE = ("diffusers.AutoencoderKL",)
_STABILITY = {"unet": ("model.diffusion_model.",), "vae": ("first_stage_model.",)}
_TRANSFORMER = {"transformer": ("model.diffusion_model.",)}
_TOKENIZER = ("transformers.CLIPTokenizer", "transformers.CLIPTokenizerFast")
_NOISE_SCHEDULES = tuple(
    f"diffusers.{name}Scheduler"
    for name in (
        "DDIM",
        "DDPM",
        "DEISMultistep",
        "DPMSolverMultistep",
        "DPMSolverSinglestep",
        "EulerAncestralDiscrete",
        "EulerDiscrete",
        "HeunDiscrete",
        "KDPM2AncestralDiscrete",
        "KDPM2Discrete",
        "LCM",
        "LMSDiscrete",
        "PNDM",
        "TCD",
        "UniPCMultistep",
    )
)
_IMAGE_READERS = {
    "feature_extractor": ("transformers.CLIPFeatureExtractor", "transformers.CLIPImageProcessor"),
    "image_encoder": ("transformers.CLIPVisionModelWithProjection",),
}

_FLOW = ("diffusers.FlowMatchEulerDiscreteScheduler",)
_CLIP_PROJECTED = ("transformers.CLIPTextModelWithProjection",)
_QWEN = ("transformers.Qwen3Model", "transformers.Qwen3ForCausalLM")
_QWEN_TOKENIZER = ("transformers.Qwen2Tokenizer", "transformers.Qwen2TokenizerFast")
_TIME_AND_POOLED = tuple(
    f"time_text_embed.{part}_embedder.linear_{layer}"
    for part in ("timestep", "text")
    for layer in (1, 2)
)

_ROWS = (
    Family(
        name="sd",
        description="Stable Diffusion 1.x and 2.x: one text encoder, an autoencoder, a UNet.",
        model="imagic_lora.models.stable_diffusion:StableDiffusion",
        pipelines=("StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline"),
        networks={"unet": _UNET, "vae": _VAE, "text_encoder": ("transformers.CLIPTextModel",)},
        plain={"tokenizer": _TOKENIZER, "scheduler": _NOISE_SCHEDULES},
        unused={
            **_IMAGE_READERS,
            "safety_checker": ("stable_diffusion.StableDiffusionSafetyChecker",),
        },
        settings={"requires_safety_checker": False},
        denoiser="unet",
        exact_layers=("conv_in", "conv_out"),
        architectures=(
            Architecture(
                modelspec="stable-diffusion-v2-768-v",
                kohya="sd_v2_v",
                v2=True,
                token_width=1024,
                prediction="v_prediction",
            ),
            Architecture(
                modelspec="stable-diffusion-v2-512", kohya="sd_v2", v2=True, token_width=1024
            ),
            Architecture(modelspec="stable-diffusion-v1", kohya="sd_v1"),
        ),
        checkpoint_keys=("model.diffusion_model.input_blocks.",),
        in_file={
            **_STABILITY,
            "text_encoder": ("cond_stage_model.transformer.text_model.", "cond_stage_model.model."),
        },
    ),
    Family(
        name="sdxl",
        description="Stable Diffusion XL: two text encoders, a pooled embedding, a UNet.",
        model="imagic_lora.models.stable_diffusion_xl:StableDiffusionXL",
        pipelines=("StableDiffusionXLPipeline", "StableDiffusionXLImg2ImgPipeline"),
        networks={
            "unet": _UNET,
            "vae": _VAE,
            "text_encoder": ("transformers.CLIPTextModel",),
            "text_encoder_2": ("transformers.CLIPTextModelWithProjection",),
        },
        plain={
            "tokenizer": _TOKENIZER,
            "tokenizer_2": _TOKENIZER,
            "scheduler": _NOISE_SCHEDULES,
        },
        unused=_IMAGE_READERS,
        denoiser="unet",
        float32=("vae",),
        exact_layers=("conv_in", "conv_out"),
        architectures=(
            Architecture(modelspec="stable-diffusion-xl-v1-base", kohya="sdxl_base_v1-0"),
        ),
        kohya="row",
        checkpoint_keys=(
            "model.diffusion_model.input_blocks.",
            "model.diffusion_model.label_emb.0.",
        ),
        in_file={
            **_STABILITY,
            "text_encoder": ("conditioner.embedders.0.transformer.text_model.",),
            "text_encoder_2": ("conditioner.embedders.1.",),
        },
    ),
    Family(
        name="sd3",
        description="Stable Diffusion 3 and 3.5 medium: three text encoders, a transformer, a flow.",
        model="imagic_lora.models.stable_diffusion_3:StableDiffusion3",
        pipelines=("StableDiffusion3Pipeline", "StableDiffusion3Img2ImgPipeline"),
        networks={
            "transformer": ("diffusers.SD3Transformer2DModel",),
            "vae": _VAE,
            "text_encoder": _CLIP_PROJECTED,
            "text_encoder_2": _CLIP_PROJECTED,
            "text_encoder_3": ("transformers.T5EncoderModel",),
        },
        plain={
            "tokenizer": _TOKENIZER,
            "tokenizer_2": _TOKENIZER,
            "tokenizer_3": ("transformers.T5TokenizerFast", "transformers.T5Tokenizer"),
            "scheduler": _FLOW,
        },
        optional={"text_encoder_3": "tokenizer_3"},
        unused={
            "feature_extractor": ("transformers.SiglipImageProcessor",),
            "image_encoder": ("transformers.SiglipVisionModel",),
        },
        denoiser="transformer",
        overflows=True,
        exact_layers=(
            "pos_embed.proj",
            "context_embedder",
            *_TIME_AND_POOLED,
            "norm_out.linear",
            "proj_out",
        ),
        architectures=(Architecture(modelspec="stable-diffusion-3.5-medium", kohya="sd3"),),
        kohya="sai",
        checkpoint_keys=("model.diffusion_model.joint_blocks.",),
        in_file={
            **_TRANSFORMER,
            "vae": ("first_stage_model.",),
            "text_encoder": ("text_encoders.clip_l.transformer.",),
            "text_encoder_2": ("text_encoders.clip_g.transformer.",),
            "text_encoder_3": ("text_encoders.t5xxl.transformer.",),
        },
        prompts=("joint_attention_dim", "context_embedder.weight"),
    ),
    Family(
        name="flux2",
        description="FLUX.2 klein: a language model, a transformer, a flow.",
        model="imagic_lora.models.flux2:Flux2",
        pipelines=("Flux2KleinPipeline", "Flux2KleinInpaintPipeline"),
        networks={
            "transformer": ("diffusers.Flux2Transformer2DModel",),
            "vae": ("diffusers.AutoencoderKLFlux2",),
            "text_encoder": _QWEN,
        },
        plain={"tokenizer": _QWEN_TOKENIZER, "scheduler": _FLOW},
        denoiser="transformer",
        overflows=True,
        exact_layers=(
            "x_embedder",
            "context_embedder",
            "time_guidance_embed.timestep_embedder.linear_1",
            "time_guidance_embed.timestep_embedder.linear_2",
            "double_stream_modulation_img.linear",
            "double_stream_modulation_txt.linear",
            "single_stream_modulation.linear",
            "norm_out.linear",
            "proj_out",
        ),
        architectures=(Architecture(modelspec="flux-2-klein", kohya="flux2"),),
        kohya="bfl",
        checkpoint_keys=("model.diffusion_model.single_stream_modulation.",),
        in_file=_TRANSFORMER,
        prompts=("joint_attention_dim", "txt_in.weight"),
        twins=True,
    ),
    Family(
        name="zimage",
        description="Z-Image: a language model, a transformer, a flow; prompts of any length.",
        model="imagic_lora.models.z_image:ZImage",
        pipelines=("ZImagePipeline", "ZImageImg2ImgPipeline"),
        networks={
            "transformer": ("diffusers.ZImageTransformer2DModel",),
            "vae": _VAE,
            "text_encoder": _QWEN,
        },
        plain={"tokenizer": _QWEN_TOKENIZER, "scheduler": _FLOW},
        denoiser="transformer",
        overflows=True,
        exact_layers=(
            "all_x_embedder.2-1",
            "cap_embedder.1",
            "t_embedder.mlp.0",
            "t_embedder.mlp.2",
            "all_final_layer.2-1.linear",
            "all_final_layer.2-1.adaLN_modulation.1",
        ),
        architectures=(Architecture(modelspec="z-image", kohya="zimage"),),
        kohya="tongyi",
        checkpoint_keys=(
            "model.diffusion_model.x_embedder.",
            "model.diffusion_model.cap_pad_token",
        ),
        in_file=_TRANSFORMER,
        prompts=("cap_feat_dim", "cap_embedder.1.weight"),
        twins=True,
    ),
)

TOO_LARGE = {
    "Flux2Pipeline": "FLUX.2 dev, whose 32 billion weights are too many for a fit on 8 to 12 GB; "
    "use FLUX.2 klein (black-forest-labs/FLUX.2-klein-base-4B)",
}
"""Pipelines that nothing here loads, with why not and what to use."""

FAMILIES: dict[str, Family] = {row.name: row for row in _ROWS}
"""Every family by its name; a row more makes a family."""


def find_family(name: str) -> Family:
    """Return a family by its name.

    Raises:
        ModelError: When there is no such family.
    """
    if name not in FAMILIES:
        raise ModelError(
            f"There is no family of models {name!r}; known are {', '.join(FAMILIES)}."
            + near_match(name, FAMILIES)
        )
    return FAMILIES[name]


def families() -> dict[str, str]:
    """Return the name of each family, with what it is in one line."""
    return {name: family.description for name, family in FAMILIES.items()}
