"""Models without weights: the public configurations, built at their true size out of nothing.

Every layer is the real one, on PyTorch's meta device. What they need in memory can be counted; no
picture can be made with them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from imagic_lora.errors import ModelError, near_match
from imagic_lora.memory import MemoryPlan
from imagic_lora.models.base import LatentModel
from imagic_lora.models.parts.quiet import quiet
from imagic_lora.models.source import resolve
from imagic_lora.models.stable_diffusion import StableDiffusion
from imagic_lora.models.stable_diffusion_xl import StableDiffusionXL

_TOKENS = 77

_CLIP_L = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "projection_dim": 768,
    "vocab_size": 49408,
}
_CLIP_H = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 23,
    "num_attention_heads": 16,
    "hidden_act": "gelu",
    "projection_dim": 512,
    "vocab_size": 49408,
}
_CLIP_G = {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
    "hidden_act": "gelu",
    "projection_dim": 1280,
    "vocab_size": 49408,
}
_VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
}


@dataclass(frozen=True)
class Blueprint:
    """The configurations of one model.

    Attributes:
        name: Name of the model.
        family: Kind of model.
        unet: Configuration of the UNet.
        vae: Configuration of the autoencoder.
        texts: Configurations of the text encoders.
    """

    name: str
    family: str
    unet: Mapping[str, Any]
    vae: Mapping[str, Any]
    texts: tuple[Mapping[str, Any], ...]

    @property
    def tokens(self) -> int:
        """Length of the longest prompt, in tokens."""
        return int(self.texts[0].get("max_position_embeddings", _TOKENS))

    def build(self, plan: MemoryPlan) -> LatentModel:
        """Return the model on the meta device, its weights in the precisions of a real load.

        Args:
            plan: What it will be counted under.
        """
        with quiet():
            parts = self._parts(plan.dtype)
        for part in parts.values():
            part.requires_grad_(requires_grad=False).eval()
        # Hashed to tell checkpoints apart, so this one layer must have a value.
        last = parts["unet"].conv_out
        last.weight = torch.nn.Parameter(torch.zeros(last.weight.shape).to(plan.dtype), False)
        pipeline = SimpleNamespace(
            **parts,
            tokenizer=_Tokenizer(self.tokens),
            tokenizer_2=_Tokenizer(self.tokens),
            scheduler=_find_class("diffusers.DDIMScheduler")(),
            config=SimpleNamespace(force_zeros_for_empty_prompt=True),
        )
        family = StableDiffusionXL if self.family == "sdxl" else StableDiffusion
        model: LatentModel = family(pipeline, self.name, plan)
        return model

    def _parts(self, dtype: torch.dtype) -> dict[str, Any]:
        """Return the networks by their names in a pipeline."""
        unet, vae = map(_find_class, ("diffusers.UNet2DConditionModel", "diffusers.AutoencoderKL"))
        text = _find_class("transformers.CLIPTextModel")
        projected = _find_class("transformers.CLIPTextModelWithProjection")
        vae_dtype = torch.float32 if self.family == "sdxl" else dtype
        first, *second = (text.config_class(**config) for config in self.texts)
        # Only now, since what a package makes while it is imported must be real.
        with torch.device("meta"):
            parts = {
                "unet": unet.from_config(dict(self.unet)).to(dtype),
                "vae": vae.from_config(dict(self.vae)).to(vae_dtype),
                "text_encoder": text(first).to(dtype),
            }
            for config in second:
                parts["text_encoder_2"] = projected(config).to(dtype)
        return parts

    def same_networks(self, other: "Blueprint") -> bool:
        """Return whether another model has the same UNet, as far as this one states it."""
        return all(
            _plain(other.unet.get(name)) == _plain(value) for name, value in self.unet.items()
        )


def _find_class(dotted: str) -> Any:
    """Return a class by its full name, its package imported when a model is built."""
    module, _, name = dotted.rpartition(".")
    return getattr(import_module(module), name)


def _plain(value: Any) -> Any:
    """Return a configuration's value with its tuples as lists, as a file has them."""
    return list(value) if isinstance(value, tuple) else value


class _Tokenizer:
    """Stands in for a tokenizer: every prompt is as long as prompts can be."""

    def __init__(self, tokens: int) -> None:
        self.model_max_length = tokens

    def __call__(self, prompt: str, **_: Any) -> Any:
        """Return the ids of a full-length prompt, whatever it says."""
        del prompt
        return SimpleNamespace(input_ids=torch.zeros(1, self.model_max_length, dtype=torch.long))


def _sd(name: str, size: int, text: Mapping[str, Any], **unet: Any) -> Blueprint:
    """Return the blueprint of a Stable Diffusion 1 or 2."""
    unet = {"sample_size": size // 8, "cross_attention_dim": text["hidden_size"], **unet}
    return Blueprint(name, "sd", unet, {**_VAE, "sample_size": size}, (text,))


BLUEPRINTS = {
    "sd15": _sd("sd15", 512, _CLIP_L, attention_head_dim=8),
    "sd21": _sd(
        "sd21",
        768,
        _CLIP_H,
        attention_head_dim=(5, 10, 20, 20),
        use_linear_projection=True,
        upcast_attention=True,
    ),
    "sdxl": Blueprint(
        "sdxl",
        "sdxl",
        {
            "sample_size": 128,
            "block_out_channels": (320, 640, 1280),
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            "transformer_layers_per_block": (1, 2, 10),
            "attention_head_dim": (5, 10, 20),
            "cross_attention_dim": 2048,
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": 2816,
        },
        {**_VAE, "sample_size": 1024, "scaling_factor": 0.13025, "force_upcast": True},
        (_CLIP_L, _CLIP_G),
    ),
}
"""The models that are known by a name."""


def find_blueprint(source: str | Path) -> Blueprint:
    """Return the blueprint of a known model, or of one whose configuration is at hand.

    Args:
        source: "sd15", "sd21", "sdxl", "demo", a pipeline folder, a Hub name, or one checkpoint.

    Raises:
        ModelError: When there is no such model, or it has no configuration to read.
    """
    if str(source) in BLUEPRINTS:
        return BLUEPRINTS[str(source)]
    try:
        found = resolve(source, None)
    except ModelError as error:
        hint = near_match(str(source), BLUEPRINTS)
        names = ", ".join(repr(name) for name in BLUEPRINTS)
        raise ModelError(f"{error} Known without a download are {names}.{hint}") from error
    if found.path.is_file():
        # A checkpoint has no configuration: the larger model of its family is taken for it.
        return BLUEPRINTS["sdxl" if found.family == "sdxl" else "sd21"]
    texts = sorted(found.path.glob("text_encoder*/config.json"))
    return Blueprint(
        found.name,
        found.family,
        _read(found.path / "unet" / "config.json"),
        _read(found.path / "vae" / "config.json"),
        tuple(_read(path) for path in texts),
    )


def _read(path: Path) -> Any:
    """Return a configuration file's content."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"The configuration {path.name!r} of {path.parent.name!r} cannot be read."
        ) from error
