"""LPIPS by torchmetrics, whose heads it brings along; torchvision brings the networks.

Source: Zhang et al. 2018, arXiv 1801.03924.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import torch
from PIL import Image

from imagic_lora.bench.metrics.base import Pair, Scores, blackened, device, levels
from imagic_lora.errors import InputError

Net = Literal["squeeze", "alex", "vgg"]


@dataclass(frozen=True)
class Lpips:
    """Distance of what should stay.

    Attributes:
        net: Network; their values differ by up to a factor of two.
        side: Side of the square that both pictures are scaled to, in pixels; None leaves them.
    """

    needs: ClassVar[tuple[str, ...]] = ("torchmetrics", "torchvision")

    net: Net
    side: int | None = None

    @property
    def name(self) -> str:
        """What the score is called."""
        return f"lpips_{self.net}" + (f"_{self.side}" if self.side else "")

    def score(self, pair: Pair) -> Scores:
        """Return the score; none where the mask leaves nothing that should stay."""
        if not pair.kept_part.any():
            return {self.name: None}
        before, after = (
            self._input(blackened(picture, pair.kept_part)) for picture in (pair.before, pair.after)
        )
        with torch.no_grad():
            return {self.name: float(self.network(after, before))}

    def _input(self, picture: Image.Image) -> torch.Tensor:
        """Return levels of -1 to 1, shape (1, 3, H, W)."""
        if self.side:
            picture = picture.resize((self.side, self.side), Image.Resampling.LANCZOS)
        return (levels(picture) / 127.5 - 1).to(device())

    @cached_property
    def network(self) -> Any:
        """From two batches of pictures to their distance."""
        try:
            from torchmetrics.image.lpip import (  # noqa: PLC0415  # an extra
                LearnedPerceptualImagePatchSimilarity,
            )

            return LearnedPerceptualImagePatchSimilarity(net_type=self.net).to(device())
        except ImportError as error:
            raise InputError(
                "LPIPS needs torchmetrics, and torchvision of the same build as torch; install both "
                "(pip install 'imagic-lora[bench]' torchvision), or leave 'lpips' out of --scorers."
            ) from error
