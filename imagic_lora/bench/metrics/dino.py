"""Structure distance by DINO, and identity by DINOv2.

Source: Tumanyan et al. 2022 (Splice), arXiv 2201.00424, equation 3; its use by cure-lab/PnPInversion,
evaluation/matrics_calculator.py; Oquab et al. 2023, arXiv 2304.07193.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from PIL import Image

from imagic_lora.bench.metrics.base import Pair, Scores, cropped, device, levels
from imagic_lora.bench.metrics.weights import loading

_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
_SIDE, _LONGEST = 224, 480


def normalised(pixels: torch.Tensor) -> torch.Tensor:
    """Return pixels, shape (B, 3, H, W), less the mean of ImageNet and by its deviation."""
    mean, std = (torch.tensor(one)[:, None, None] for one in (_MEAN, _STD))
    return (pixels - mean) / std


@dataclass(frozen=True)
class Structure:
    """Mean squared difference of how the places of two pictures resemble each other.

    The authors of PIE-Bench normalise levels of 0 to 255 as if they were 0 to 1; what is published
    was made so. The second score is of levels of 0 to 1.

    Attributes:
        weights: A DINO ViT-B/8: a name on the Hub, or a folder.
    """

    weights: str

    def score(self, pair: Pair) -> Scores:
        """Return the distance as it is published, and corrected."""
        scores = {}
        for name, unit in (("structure", 1.0), ("structure_corrected", 255.0)):
            one, other = (self._resemblance(levels(p) / unit) for p in (pair.before, pair.after))
            scores[name] = float(torch.nn.functional.mse_loss(other, one))
        return scores

    def _resemblance(self, pixels: torch.Tensor) -> torch.Tensor:
        return self_similarity(self.keys(normalised(scaled(pixels)).to(device())))

    @torch.no_grad()
    def keys(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the keys of the last layer, those of all heads side by side.

        Args:
            pixels: Normalised, shape (1, 3, H, W).

        Returns:
            Shape (tokens, width), the token of the whole picture first.
        """
        found: list[torch.Tensor] = []
        layer = self._model.layers[-1].attention.k_proj
        hook = layer.register_forward_hook(lambda _, __, output: found.append(output[0]))
        try:
            self._model(pixel_values=pixels, interpolate_pos_encoding=True)
        finally:
            hook.remove()
        return found[0]

    @cached_property
    def _model(self) -> Any:
        from transformers import ViTModel  # noqa: PLC0415  # seconds, for scores alone

        with loading("DINO", self.weights, "structure"):
            model = ViTModel.from_pretrained(self.weights, add_pooling_layer=False)
        return model.eval().to(device())


def scaled(pixels: torch.Tensor) -> torch.Tensor:
    """Return pixels with a shorter side of 224, and a longer one of 480 at most."""
    height, width = pixels.shape[-2:]
    scale = min(_SIDE / min(height, width), _LONGEST / max(height, width))
    size = [max(1, int(scale * side + 1e-6)) for side in (height, width)]
    return torch.nn.functional.interpolate(pixels, size, mode="bilinear", antialias=True)


def self_similarity(keys: torch.Tensor) -> torch.Tensor:
    """Return the cosine of each two tokens' keys, shape (tokens, tokens)."""
    unit = torch.nn.functional.normalize(keys.float(), dim=-1)
    return unit @ unit.T


@dataclass(frozen=True)
class Identity:
    """Cosine of what DINOv2 makes of the two pictures as a whole.

    Attributes:
        weights: A name on the Hub, or a folder.
    """

    weights: str

    @torch.no_grad()
    def score(self, pair: Pair) -> Scores:
        """Return the cosine, 1 for equal pictures."""
        one, other = (self._whole(picture) for picture in (pair.before, pair.after))
        return {"dino_identity": float(torch.nn.functional.cosine_similarity(one, other, dim=-1))}

    def _whole(self, picture: Image.Image) -> torch.Tensor:
        pixels = normalised(levels(cropped(picture, 256, _SIDE)) / 255).to(device())
        hidden: torch.Tensor = self._model(pixel_values=pixels).last_hidden_state
        return hidden[0, 0]

    @cached_property
    def _model(self) -> Any:
        from transformers import Dinov2Model  # noqa: PLC0415  # seconds, for scores alone

        with loading("DINOv2", self.weights, "identity"):
            return Dinov2Model.from_pretrained(self.weights).eval().to(device())
