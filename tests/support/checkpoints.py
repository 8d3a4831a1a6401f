"""Checkpoint files as they lie around, each with what becomes of it: a table for tests and docs."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

Tensors = dict[str, torch.Tensor]

UNET, VAE, CLIP = "model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer."
FIRST = f"{UNET}input_blocks.0.0.weight"


@dataclass(frozen=True)
class Case:
    """A kind of file.

    Attributes:
        what: What it is.
        change: Makes its tensors of those of a whole checkpoint.
        taken: Which parts are taken from the configuration's folder, where it loads.
        said: What the error says, where it does not; "" where it loads.
        plain: Whether plain diffusers reads it, too.
    """

    what: str
    change: Callable[[Tensors], Tensors]
    taken: tuple[str, ...] = ()
    said: str = ""
    plain: bool = False

    @property
    def outcome(self) -> str:
        """What becomes of it, for the table of the docs."""
        if self.said:
            return f"refused: {self.said}"
        taken = ", ".join(f"`{part}`" for part in self.taken)
        return f"loads; {taken} from the folder given by `config`" if taken else "loads"


def only(*prefixes: str) -> Callable[[Tensors], Tensors]:
    """Return what keeps tensors whose names begin so."""
    return lambda whole: {key: value for key, value in whole.items() if key.startswith(prefixes)}


def named(old: str, new: str) -> Callable[[Tensors], Tensors]:
    """Return what changes how names begin."""
    return lambda whole: {
        new + key.removeprefix(old) if key.startswith(old) else key: value
        for key, value in whole.items()
    }


def cast(dtype: torch.dtype) -> Callable[[Tensors], Tensors]:
    """Return what gives the denoiser another precision."""
    return lambda whole: {
        key: value.to(dtype) if key.startswith(UNET) else value for key, value in whole.items()
    }


def channels(count: int) -> Callable[[Tensors], Tensors]:
    """Return what makes the denoiser take so many channels."""
    return lambda whole: {**whole, FIRST: torch.cat([whole[FIRST]] * 3, 1)[:, :count]}


def beside(*names: str, value: torch.Tensor | None = None) -> Callable[[Tensors], Tensors]:
    """Return what adds tensors."""
    added = torch.ones(2) if value is None else value
    return lambda whole: {**whole, **dict.fromkeys(names, added)}


def alone(*names: str) -> Callable[[Tensors], Tensors]:
    """Return what has these tensors and no others."""
    return lambda _: dict.fromkeys(names, torch.ones(2))


def _averaged(whole: Tensors) -> Tensors:
    """Return averaged weights beside the ordinary ones, under the names that trainers give them."""
    return {
        **whole,
        **{
            f"model_ema.{key.removeprefix('model.').replace('.', '')}": 2 * value
            for key, value in whole.items()
            if key.startswith(UNET)
        },
    }


def _scaled(whole: Tensors) -> Tensors:
    """Return the denoiser's matrices as 8-bit floats, with what they are to be multiplied by."""
    found = {**whole, f"{UNET}scaled_fp8": torch.zeros(2).to(torch.float8_e4m3fn)}
    for key, value in whole.items():
        if key.startswith(UNET) and key.endswith(".weight") and value.dim() == 2:
            found[key] = (4 * value).to(torch.float8_e4m3fn)
            found[key.removesuffix("weight") + "scale_weight"] = torch.tensor(0.25)
    return found


_POSITIONS = f"{CLIP}text_model.embeddings.position_ids"

CASES = (
    Case("a whole checkpoint", dict, plain=True),
    Case("its denoiser in 16 bits", cast(torch.float16), plain=True),
    Case("its denoiser in 8-bit floats (fp8)", cast(torch.float8_e4m3fn), plain=True),
    Case("its denoiser in scaled 8-bit floats of ComfyUI", _scaled),
    Case("averaged weights (EMA) beside the ordinary ones", _averaged, plain=True),
    Case("text encoder under its older names", named(f"{CLIP}text_model.", CLIP)),
    Case(
        "position ids in half precision",
        beside(_POSITIONS, value=torch.arange(24).half()[None]),
        plain=True,
    ),
    Case("no autoencoder", only(UNET, CLIP), ("vae",)),
    Case("no text encoder", only(UNET, VAE), ("text_encoder",)),
    Case("the UNet alone", only(UNET), ("vae", "text_encoder")),
    Case(
        "the UNet alone, without its prefix",
        lambda whole: named(UNET, "")(only(UNET)(whole)),
        ("vae", "text_encoder"),
    ),
    Case("an inpainting model (9 channels)", channels(9), said="made for inpainting"),
    Case("InstructPix2Pix (8 channels)", channels(8), said="made for editing by instructions"),
    Case("a model that is given depths", channels(5), said="made to be given depths"),
    Case(
        "whole 8-bit numbers with scales (int8)",
        beside(f"{UNET}time_embed.0.weight_scale"),
        said="a checkpoint in 4 bits, whole numbers or blocks",
    ),
    Case(
        "the refiner of Stable Diffusion XL",
        beside("conditioner.embedders.0.model.ln_final.bias"),
        said="the refiner of Stable Diffusion XL",
    ),
    Case("a ControlNet", alone("control_model.time_embed.0.weight"), said="a ControlNet"),
    Case("an upscaler", beside(f"{UNET}label_emb.weight"), said="an upscaler"),
    Case("FLUX.1", alone(f"{UNET}double_blocks.0.img_attn.qkv.weight"), said="a model of FLUX.1"),
    Case(
        "FLUX.2 dev",
        alone(f"{UNET}single_stream_modulation.lin.weight", f"{UNET}guidance_in.in_layer.weight"),
        said="a model of FLUX.2 dev",
    ),
    Case("Lumina", alone(f"{UNET}cap_embedder.1.weight"), said="a model of Lumina"),
    Case(
        "a transformer as diffusers saves it",
        alone("transformer_blocks.0.attn.to_q.weight"),
        said="a transformer as diffusers saves it",
    ),
    Case("a LoRA", alone("lora_unet_x.lora_up.weight"), said="an adapter or a LoRA"),
    Case("averaged weights alone", alone("model_ema.x"), said="averaged weights"),
    Case("an autoencoder alone", only(VAE), said=r"an autoencoder \(VAE\) alone"),
    Case("TAESD", alone("taesd_encoder.0.weight"), said=r"a small autoencoder \(TAESD\)"),
    Case("a text encoder alone", only(CLIP), said="a text encoder alone"),
    Case(
        "a UNet as diffusers saves it",
        alone("conv_in.weight", "down_blocks.0.x"),
        said="a UNet as diffusers saves it",
    ),
    Case(
        "a file of which tensors are missing",
        lambda whole: {key: v for key, v in whole.items() if ".middle_block." not in key},
        said="not whole, or does not fit",
    ),
)
