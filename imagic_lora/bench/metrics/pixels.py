"""PSNR, SSIM and mean squared error of what should stay, as PIE-Bench computes them.

Both pictures are blackened where the edit belongs, and all pixels are averaged over: a larger mask
raises PSNR and SSIM by itself. Source: cure-lab/PnPInversion, evaluation/matrics_calculator.py.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from imagic_lora.bench.metrics.base import Pair, Scores, blackened, levels
from imagic_lora.errors import MissingExtraError

BEST_PSNR = 100.0
"""What two equal pictures score: the ratio would be infinite, and so would any mean with it."""

_NAMES = ("psnr", "ssim", "mse")


@dataclass(frozen=True)
class Pixels:
    """The three of them, by torchmetrics, with levels of 0 to 1."""

    needs: ClassVar[tuple[str, ...]] = ("torchmetrics",)

    def score(self, pair: Pair) -> Scores:
        """Return the scores; none where the mask leaves nothing that should stay."""
        if not pair.kept_part.any():
            return dict.fromkeys(_NAMES)
        before, after = (
            levels(blackened(picture, pair.kept_part)) / 255
            for picture in (pair.before, pair.after)
        )
        try:
            from torchmetrics.functional import image  # noqa: PLC0415  # an extra
        except ImportError as error:
            raise MissingExtraError("torchmetrics", "bench", "PSNR and SSIM") from error
        psnr = image.peak_signal_noise_ratio(after, before, data_range=1.0)
        ssim = image.structural_similarity_index_measure(after, before, data_range=1.0)
        return {
            "psnr": min(BEST_PSNR, float(psnr)),
            "ssim": float(ssim),
            "mse": float(torch.nn.functional.mse_loss(after, before)),
        }
