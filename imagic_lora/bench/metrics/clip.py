"""CLIP score and directional CLIP, straight from a CLIP model of transformers.

Source: Hessel et al. 2021, arXiv 2104.08718 (times 100 instead of 2.5, as torchmetrics has it);
Gal et al. 2021, arXiv 2108.00946, equation 3 (as a cosine).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from PIL import Image

from imagic_lora.bench.metrics.base import Pair, Scores, blackened, cropped, device, levels
from imagic_lora.bench.metrics.weights import loading

_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)
_TOKENS = 77


@dataclass(frozen=True)
class Clip:
    """How near an edited picture is to its target, and in which direction it went.

    Attributes:
        weights: A name on the Hub, or a folder.
        suffix: What its scores' names end in, to tell several models apart.
    """

    weights: str
    suffix: str = ""

    def score(self, pair: Pair) -> Scores:
        """Return the scores: of the whole picture, of the edited part, and of the direction."""
        part, source = pair.edited_part, pair.item.source
        pictures = [pair.after, pair.before]
        if part is not None and part.any():
            pictures.append(blackened(pair.after, part))
        images = self.images(pictures)
        target, start = self.texts([pair.item.target, source or ""])
        scores: dict[str, float | None] = {"clip": _cosine(images[0], target, 100)}
        if part is not None:
            scores["clip_edited"] = _cosine(images[2], target, 100) if part.any() else None
        if source is not None:
            scores["clip_direction"] = _cosine(images[0] - images[1], target - start)
        return {f"{name}{self.suffix}": value for name, value in scores.items()}

    @torch.no_grad()
    def images(self, pictures: list[Image.Image]) -> torch.Tensor:
        """Return embeddings of length 1, shape (B, width)."""
        side = self._model.config.vision_config.image_size
        batch = torch.cat([levels(cropped(picture, side, side)) for picture in pictures]) / 255
        mean, std = (torch.tensor(one)[:, None, None] for one in (_MEAN, _STD))
        hidden = self._model.vision_model(pixel_values=((batch - mean) / std).to(device()))
        return _unit(self._model.visual_projection(hidden.pooler_output))

    @torch.no_grad()
    def texts(self, prompts: list[str]) -> torch.Tensor:
        """Return embeddings of length 1, shape (B, width); what is too long is cut."""
        tokens = self._tokenizer(
            prompts, padding=True, truncation=True, max_length=_TOKENS, return_tensors="pt"
        ).to(device())
        hidden = self._model.text_model(**tokens)
        return _unit(self._model.text_projection(hidden.pooler_output))

    @cached_property
    def _model(self) -> Any:
        from transformers import CLIPModel  # noqa: PLC0415  # seconds, for scores alone

        with loading("CLIP", self.weights, "clip"):
            return CLIPModel.from_pretrained(self.weights).eval().to(device())

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer  # noqa: PLC0415  # seconds, for scores alone

        with loading("CLIP", self.weights, "clip"):
            return AutoTokenizer.from_pretrained(self.weights)


def _unit(vectors: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(vectors.float(), dim=-1).cpu()


def _cosine(one: torch.Tensor, other: torch.Tensor, unit: float = 1.0) -> float:
    """Return a cosine; 0 where one of the two has no direction."""
    return unit * float(torch.nn.functional.cosine_similarity(one, other, dim=-1))
