"""The families of models as data: one row for each, and nothing else has to spell its name.

It imports nothing heavy, so that whoever reads or writes a file may ask it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal

from imagic_lora.errors import ModelError, near_match

KohyaNames = Literal["flat", "row"]


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """What other tools call some of the models of a family.

    Attributes:
        modelspec: Its name in modelspec.
        kohya: Its name in the files of kohya's scripts.
        v2: Whether kohya's scripts count it as Stable Diffusion 2.
        token_width: Width of its token embeddings; None is any.
        prediction: What its denoiser predicts; None is anything.
    """

    modelspec: str
    kohya: str
    v2: bool = False
    token_width: int | None = None
    prediction: str | None = None


@dataclass(frozen=True, kw_only=True)
class Family:
    """A kind of model.

    Attributes:
        name: Its name, e.g. "sd".
        description: What it is, in one line.
        model: Where its LatentModel is: "module:class".
        pipelines: Names of diffusers' pipelines for it; the first is the one that is loaded.
        networks: The parts that have weights, each with the classes that it may be of.
        plain: The parts that have none, likewise.
        unused: Other parts that a folder may have and that are not loaded, likewise.
        settings: What a pipeline is to be made with besides its parts.
        denoiser: Which network predicts.
        float32: Networks that half precision overflows.
        exact_layers: Layers of the denoiser that are never rounded: small, and errors there show
            most.
        architectures: What other tools call it; the first that fits counts.
        kohya: How kohya's scripts name its layers: by diffusers' paths, or counted in one row.
        kohya_prefix: What those names begin with.
        checkpoint_keys: What one-file checkpoints of it have tensors of, each a beginning of names.
        in_file: How names of each network's tensors begin there.
    """

    name: str
    description: str
    model: str
    pipelines: tuple[str, ...]
    networks: Mapping[str, tuple[str, ...]]
    plain: Mapping[str, tuple[str, ...]]
    unused: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    denoiser: str
    float32: tuple[str, ...] = ()
    exact_layers: tuple[str, ...]
    architectures: tuple[Architecture, ...]
    kohya: KohyaNames = "flat"
    kohya_prefix: str = "lora_unet_"
    checkpoint_keys: tuple[str, ...]
    in_file: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        """What the names of LoRA weights in a file begin with."""
        return f"{self.denoiser}."

    def load_class(self) -> Any:
        """Return its LatentModel class; this imports what the family is made with."""
        module, _, name = self.model.partition(":")
        return getattr(import_module(module), name)

    def architecture(self, token_width: int, prediction: str) -> Architecture:
        """Return what other tools call a model of this family.

        Args:
            token_width: Width of its token embeddings.
            prediction: What its denoiser predicts.
        """
        return next(
            found
            for found in self.architectures
            if found.token_width in (None, token_width) and found.prediction in (None, prediction)
        )


_UNET = ("diffusers.UNet2DConditionModel",)
_VAE = ("diffusers.AutoencoderKL",)
_STABILITY = {"unet": ("model.diffusion_model.",), "vae": ("first_stage_model.",)}
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
)

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
