"""What of a target prompt is true of an image already.

It is the caption of an image that has none.
"""

from collections.abc import Iterable
from functools import partial

import torch

from imagic_lora.captions import words
from imagic_lora.captions.likelihood import surprise
from imagic_lora.conditioning import Conditioning
from imagic_lora.errors import heard_by
from imagic_lora.memory import denoising, peak_bytes
from imagic_lora.models.base import LatentModel
from imagic_lora.progress import OnProgress, Ticker

_GLANCES, _LOOKS = 3, 8
"""Noised copies of the image that are looked at for every part, and for the finalists."""

_FINALISTS = 8

_REFINED = 2
"""Times that an end of the best part is moved by less than a piece."""

_AT_ONCE = 32
"""Prompts that are encoded together: the text encoder is fetched to the device for them, and sent
back; the embeddings of all prompts at once would take memory that no plan has counted."""


def find(
    model: LatentModel,
    latents: torch.Tensor,
    target: str,
    seed: int,
    on_progress: OnProgress,
) -> str:
    """Return the part of a target prompt that is true of an image before it is edited.

    It is the longest of those parts under which the base model finds the image nearly as likely as
    under any. All parts without some of its pieces get a glance, then those that leave out a word or
    two more or less than the best; those that do well are looked at again.

    Args:
        model: The model, with no adapter in it, since that would know the image by heart.
        latents: Latents of the image, shape (1, C, h, w).
        target: Prompt of the edited image.
        seed: Seed of the noises.
        on_progress: Called after each prompt that was tried.

    Source: Li et al. 2023 (Diffusion Classifier), arXiv 2303.16203, equation 5: the likelihood.
    """
    parts = words.parts_of(target)
    prompts = _encoded(model, [target, *parts])
    finalists = min(_FINALISTS, len(parts))
    tick = Ticker(
        "caption",
        len(parts) + _REFINED * words.most_finer(target) + finalists + 1,
        on_progress,
        partial(peak_bytes, model.plan.device),
    )

    def rate(texts: Iterable[str], looks: int) -> dict[str, float]:
        found = {}
        with denoising(model, "sample") as work:
            for text in texts:
                prompt = prompts[text].to(model.plan.device, torch.float32)
                found[text] = work(partial(surprise, model, latents, prompt, seed, looks))
                tick()
        return found

    glanced = rate(parts, _GLANCES)
    for _ in range(_REFINED):
        best = min(parts, key=glanced.__getitem__)
        near = words.finer(target, parts[best])
        if fresh := [text for text in near if text not in parts]:
            prompts |= _encoded(model, fresh)
            glanced |= rate(fresh, _GLANCES)
        parts |= near
    rated = rate([*sorted(glanced, key=glanced.__getitem__)[:finalists], target], _LOOKS)
    return words.longest_of_the_likely(rated, rated.pop(target))


def _encoded(model: LatentModel, texts: list[str]) -> dict[str, Conditioning]:
    """Return the conditionings of texts, on the CPU."""
    found: dict[str, Conditioning] = {}
    # Of a target that is too long, the edit will say so, once.
    with heard_by(lambda _: None):
        for start in range(0, len(texts), _AT_ONCE):
            some = texts[start : start + _AT_ONCE]
            rows = model.encode_prompt(*some).to("cpu", torch.float32).rows()
            found |= zip(some, rows, strict=True)
    return found
