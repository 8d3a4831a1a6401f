"""Files and models that people have and that are not used here: what they are, and what to use.

Data alone: each is told by how names of its tensors begin, or by the class of its pipeline.
"""

from collections.abc import Iterable
from dataclasses import dataclass

_UNET = "model.diffusion_model."


@dataclass(frozen=True)
class Foreign:
    """A kind of file that is not used as a base model.

    Attributes:
        what: What it is, after "is".
        use: What to use in its place, after "use".
        marks: How names of its tensors begin; one of each group is there.
    """

    what: str
    use: str
    marks: tuple[tuple[str, ...], ...]


VARIANTS = (
    Foreign(
        "the refiner of Stable Diffusion XL, which finishes pictures of the base model",
        "the base model of Stable Diffusion XL",
        (("conditioner.embedders.0.model.",),),
    ),
    Foreign(
        "an upscaler, which makes pictures larger",
        "the ordinary model of its kind",
        ((f"{_UNET}label_emb.weight",),),
    ),
    Foreign(
        "an unCLIP model, which varies pictures",
        "the ordinary model of its kind",
        (("embedder.model.visual.", "noise_augmentor."),),
    ),
    Foreign(
        "a ControlNet, which steers another model",
        "the model that it steers",
        (("control_model.", "controlnet_cond_embedding."),),
    ),
    Foreign(
        "a model of FLUX.2 dev, whose 32 billion weights are too many for a fit on 8 to 12 GB",
        "FLUX.2 klein, such as 'black-forest-labs/FLUX.2-klein-base-4B'",
        ((f"{_UNET}single_stream_modulation.",), (f"{_UNET}guidance_in.",)),
    ),
)
"""Kinds that look like a supported family and are none of its base models."""

_SUPPORTED = "a model of a family that 'imagic-lora models' lists"

OTHERS = (
    Foreign(
        "an adapter or a LoRA, which changes a base model",
        "the base model that it was made for; LoRA files are taken by adopt()",
        (("lora_", "unet.", "base_model.model.", "imagic_lora.", "lycoris_"),),
    ),
    Foreign(
        "a model of FLUX.1 or Chroma", _SUPPORTED, ((f"{_UNET}double_blocks.", "double_blocks."),)
    ),
    Foreign("a model of AuraFlow", _SUPPORTED, ((f"{_UNET}double_layers.", "double_layers."),)),
    Foreign(
        "a model of Stable Cascade",
        _SUPPORTED,
        (("clip_txt_mapper.", "down_blocks.1.0.channelwise."),),
    ),
    Foreign(
        "a transformer as diffusers saves it, without the other parts",
        "the pipeline folder that it belongs to",
        (("transformer_blocks.", "single_transformer_blocks.", "all_x_embedder."),),
    ),
    Foreign("a model of Lumina", _SUPPORTED, ((f"{_UNET}cap_embedder.", "cap_embedder."),)),
    Foreign("a model of Qwen-Image", _SUPPORTED, ((f"{_UNET}txt_norm.", "txt_norm."),)),
    Foreign(
        "a model of PixArt or Sana",
        _SUPPORTED,
        ((f"{_UNET}y_embedder.", "y_embedder.", "caption_projection."),),
    ),
    Foreign(
        "a model of videos (Wan, LTX, Hunyuan or Mochi)",
        _SUPPORTED,
        (
            (
                "head.modulation",
                f"{_UNET}head.modulation",
                "patchify_proj.",
                f"{_UNET}patchify_proj.",
                "txt_in.individual_token_refiner.",
                "blocks.0.attn.qkv_x.",
            ),
        ),
    ),
    Foreign(
        "averaged weights of a training alone (EMA)",
        "the file of the same model with the ordinary weights",
        (("model_ema.",),),
    ),
    Foreign(
        "a UNet as diffusers saves it, without the other parts",
        "the pipeline folder that it belongs to",
        (("down_blocks.",), ("conv_in.",)),
    ),
    Foreign(
        "a small autoencoder (TAESD), which has no other parts",
        "the whole checkpoint",
        (("taesd_", "encoder.layers.0.", "decoder.layers.1.", "0.weight"),),
    ),
    Foreign(
        "an autoencoder (VAE) alone",
        "the whole checkpoint",
        (("first_stage_model.", "encoder.conv_in.", "encoder.down"),),
    ),
    Foreign(
        "a text encoder alone",
        "the whole checkpoint",
        (("cond_stage_model.", "conditioner.", "text_model.", "text_encoders.", "encoder.block."),),
    ),
)
"""Kinds that no family knows; the first that fits counts."""

CLASSES = {
    "Inpaint": "a model for inpainting",
    "InstructPix2Pix": "a model for editing by instructions",
    "Upscale": "an upscaler",
    "ControlNet": "a pipeline with a ControlNet",
    "Depth2Img": "a model that is given depths",
    "UnCLIP": "an unCLIP model, which varies pictures",
}
"""What a pipeline is whose class has such a word in its name."""


def recognised(names: Iterable[str], kinds: tuple[Foreign, ...]) -> Foreign | None:
    """Return which kind a file is, or None.

    Args:
        names: Names of its tensors.
        kinds: The kinds that it may be.
    """
    names = list(names)
    return next(
        (
            kind
            for kind in kinds
            if all(any(name.startswith(group) for name in names) for group in kind.marks)
        ),
        None,
    )
