"""A Stable-Diffusion-1.5-shaped pipeline, true in every size and random in every weight.

`python -m benchmarks.full_size` builds it in half precision on disk, as a folder and as one
checkpoint file, and takes each through load, fit, save, load and edit in a process of its own, so
that each has its own peak of resident memory. Nothing is said about pictures: the weights are
random. Writes benchmarks/results/full_size.json.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModel

from benchmarks.checkpoint import save_checkpoint
from benchmarks.environment import describe, write_result
from benchmarks.world.architecture import make_scheduler
from benchmarks.world.tokenizer import make_tokenizer
from imagic_lora import Adapter, EditSettings, FitSettings, ImagicEditor
from imagic_lora.memory import peak_bytes
from imagic_lora.models.blueprint import BLUEPRINTS

FIT = FitSettings(steps=2, batch=1, seed=0)
EDIT = EditSettings(steps=2, focus=0, seed=0)  # finding the focus takes longer than two steps


def build() -> StableDiffusionPipeline:
    """Return a pipeline with the sizes of Stable Diffusion 1.5 and random half-precision weights.

    The tokenizer is a small one, padded to the true length: it weighs nothing.
    """
    tokenizer, networks = make_tokenizer(), BLUEPRINTS["sd15"].networks
    text = CLIPTextConfig(
        **networks["text_encoder"], max_position_embeddings=77, eos_token_id=tokenizer.eos_token_id
    )
    tokenizer.model_max_length = text.max_position_embeddings
    return StableDiffusionPipeline(
        vae=AutoencoderKL.from_config(dict(networks["vae"])).half(),
        text_encoder=CLIPTextModel(text).half(),
        tokenizer=tokenizer,
        unet=UNet2DConditionModel.from_config(dict(networks["unet"])).half(),
        scheduler=make_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


@contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Note how long a block took."""
    began = time.monotonic()
    yield
    seconds[name] = round(time.monotonic() - began, 2)


def take_through(source: Path, config: Path, work: Path) -> dict[str, Any]:
    """Load, fit, save, load and edit, and return what it took.

    Args:
        source: The pipeline folder or the checkpoint file.
        config: The folder that a checkpoint file takes its configuration from.
        work: Folder to write to.
    """
    seconds: dict[str, float] = {}
    with timed(seconds, "load"):
        editor = ImagicEditor.from_pretrained(source, config=config)
    loaded = peak_bytes(torch.device("cpu"))
    image = Image.linear_gradient("L").convert("RGB").resize((512, 512))
    with timed(seconds, "fit"):
        adapter = editor.fit(image, target="a girl with a flower", settings=FIT)
    path = work / f"adapter-of-{source.name}.safetensors"
    adapter.save(path)
    with timed(seconds, "edit"):
        edit = editor.edit(Adapter.load(path), settings=EDIT)
    return {
        "seconds": seconds,
        "bytes_resident_after_load": loaded,
        "bytes_resident_peak": peak_bytes(torch.device("cpu")),
        "bytes_adapter": path.stat().st_size,
        "canvas": list(edit.image.size),
        "losses": list(adapter.record.losses),
        "parameters": sum(p.numel() for p in editor.model.denoiser.parameters()),
    }


def in_own_process(source: Path, config: Path, work: Path) -> dict[str, Any]:
    """Return what `take_through` measures in a fresh process."""
    paths = map(str, (source, config, work))
    command = [sys.executable, "-m", "benchmarks.full_size", "--take", *paths]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def main() -> None:
    """Build, measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--take", nargs=3, type=Path, help=argparse.SUPPRESS)
    take = parser.parse_args().take
    if take:
        print(json.dumps(take_through(*take)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder, file = Path(temporary, "folder"), Path(temporary, "one.safetensors")
        torch.manual_seed(0)
        pipeline = build()
        pipeline.save_pretrained(folder)
        save_checkpoint(pipeline, file)
        del pipeline
        result = {
            "environment": describe(),
            "settings": {"fit": asdict(FIT), "edit": asdict(EDIT)},
            "folder": in_own_process(folder, folder, Path(temporary)),
            "file": in_own_process(file, folder, Path(temporary)),
        }
    print(f"wrote {write_result('full_size', result)}")


if __name__ == "__main__":
    main()
