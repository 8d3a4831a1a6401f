"""The figures about the world: what the autoencoder keeps, the judge reads and the text commands."""

import dataclasses
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.world.architecture import TEXT_LENGTH
from benchmarks.world.autoencoder import reconstruct, signal_to_noise
from benchmarks.world.captions import caption_naming, random_caption
from benchmarks.world.data import Pixels
from benchmarks.world.flow import STATES
from benchmarks.world.judge import Judge, read_attributes, true_attributes
from benchmarks.world.portrait import ATTRIBUTES, Portrait

BATCH = 16

AS_TRAINED: dict[str, dict[str, Any]] = {
    "Flux2KleinPipeline": {
        "width": 64,
        "height": 64,
        "max_sequence_length": TEXT_LENGTH,
        "text_encoder_out_layers": STATES,
    }
}
"""What pipelines must be told of models of this size, by their class."""


@dataclasses.dataclass(frozen=True)
class Request:
    """One text-to-image test: a prompt, and what must be seen because the prompt names it."""

    prompt: str
    portrait: Portrait
    named: frozenset[str]


def judged(judge: Judge, pictures: Tensor, portraits: list[Portrait]) -> dict[str, Any]:
    """Shares of pictures on which the judge reads the truth, by attribute and for all together."""
    read, true = read_attributes(judge, pictures), true_attributes(portraits)
    right = {name: read[name] == true[name] for name in ATTRIBUTES}
    together = torch.stack(list(right.values())).all(dim=0)
    return {
        "all_together": _share(together),
        "by_attribute": {name: _share(values) for name, values in right.items()},
    }


def reconstruction_figures(
    pipeline: Any, judge: Judge, pictures: Pixels, portraits: list[Portrait]
) -> dict[str, Any]:
    """What the autoencoder keeps of held-out drawings."""
    outputs = reconstruct(pipeline.vae, pictures)
    return {
        "psnr_db": round(signal_to_noise(pictures, outputs), 2),
        "judge": judged(judge, outputs, portraits),
    }


def mixed_requests(portraits: list[Portrait], seed: int) -> list[Request]:
    """Prompts as in captions, short and long; empty ones are left out."""
    generator = np.random.default_rng((seed, 1))
    requests = []
    for portrait in portraits:
        prompt, named = random_caption(portrait, generator)
        while not prompt:
            prompt, named = random_caption(portrait, generator)
        requests.append(Request(prompt, portrait, named))
    return requests


def terse_requests(portraits: list[Portrait]) -> list[Request]:
    """Prompts such as "a girl with a flower", going through every value in turn."""
    choices = [(n, v) for n, values in ATTRIBUTES.items() if n != "subject" for v in values]
    requests = []
    for index, portrait in enumerate(portraits):
        name, value = choices[index % len(choices)]
        wanted = portrait.replace(**{name: value})
        named = frozenset(("subject", name))
        requests.append(Request(caption_naming(wanted, named), wanted, named))
    return requests


def generate(pipeline: Any, prompts: list[str], guidance: float, steps: int, seed: int) -> Tensor:
    """Pictures for prompts, in [-1, 1]; picture i starts from noise number seed + i.

    Args:
        pipeline: A world's model through plain diffusers.
        prompts: What to draw.
        guidance: Of classifier-free guidance.
        steps: Of denoising.
        seed: Of the noise.
    """
    outputs, needs = [], AS_TRAINED.get(type(pipeline).__name__, {})
    for start in range(0, len(prompts), BATCH):
        chunk = prompts[start : start + BATCH]
        generators = [
            torch.Generator().manual_seed(seed + start + offset) for offset in range(len(chunk))
        ]
        images = pipeline(
            prompt=chunk,
            guidance_scale=guidance,
            num_inference_steps=steps,
            generator=generators,
            output_type="pt",
            **needs,
        ).images
        outputs.append(images.cpu() * 2 - 1)
    return torch.cat(outputs)


def found_figures(judge: Judge, pictures: Tensor, requests: list[Request]) -> dict[str, Any]:
    """Share of named attributes that the judge finds, by attribute and by value."""
    read = read_attributes(judge, pictures)
    true = true_attributes([request.portrait for request in requests])
    by_attribute: dict[str, float] = {}
    by_value: dict[str, dict[str, float]] = {}
    for name, values in ATTRIBUTES.items():
        named = torch.tensor([name in request.named for request in requests])
        right = read[name] == true[name]
        by_attribute[name] = _share(right[named])
        by_value[name] = {
            value: _share(right[named & (true[name] == index)])
            for index, value in enumerate(values)
        }
    return {
        "lowest": min(by_attribute.values()),
        "by_attribute": by_attribute,
        "by_value": by_value,
    }


def _share(right: Tensor) -> float:
    return round(float(right.float().mean()), 4)
