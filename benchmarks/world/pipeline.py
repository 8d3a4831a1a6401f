"""The demo model as a pipeline folder: how its parts are put together and where they lie."""

import shutil
from pathlib import Path
from typing import Any

from diffusers import (
    AutoencoderKL,
    DiffusionPipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextModel, CLIPTokenizer

from benchmarks.world.architecture import make_scheduler

REPOSITORY = Path(__file__).resolve().parents[2]
MODEL = REPOSITORY / "imagic_lora" / "demo" / "model"


def export_pipeline(
    vae: AutoencoderKL,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    unet: UNet2DConditionModel,
    folder: Path = MODEL,
    *,
    velocity: bool = False,
) -> None:
    """Write a standard pipeline folder in half precision.

    The modules given are turned to half precision too. The old folder stays until
    the new one is whole.
    """
    pipeline = StableDiffusionPipeline(
        vae=vae.half(),
        text_encoder=text_encoder.half(),
        tokenizer=tokenizer,
        unet=unet.half(),
        scheduler=make_scheduler(velocity=velocity),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    write_pipeline(pipeline, folder)


def write_pipeline(pipeline: DiffusionPipeline, folder: Path) -> None:
    """Write a pipeline's folder; the old one stays until the new one is whole."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    pipeline.save_pretrained(partial, safe_serialization=True)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def load_pipeline(folder: Path = MODEL, device: str = "cpu") -> Any:
    """A world's model through plain diffusers, in float32."""
    pipeline: Any = DiffusionPipeline.from_pretrained(folder, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.text_encoder.float()  # the other parts are loaded in float32 anyway
    return pipeline.to(device)


def folder_bytes(folder: Path = MODEL) -> int:
    """Size of all files of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
