"""Masks: runs of pixels, row by row, as PIE-Bench writes them; or pictures."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from imagic_lora.images.reading import open_mask

SIDE = 512
"""Side of the pictures that runs are counted in, in pixels."""


@dataclass(frozen=True)
class Mask:
    """Where an edit belongs.

    Attributes:
        runs: Start and length of runs of pixels in turn, counted row by row.
        side: Side of the square picture, in pixels.
    """

    runs: tuple[int, ...]
    side: int = SIDE

    def decode(self) -> npt.NDArray[np.bool_]:
        """Return where the edit belongs, shape (side, side).

        The outermost pixels belong to every edit, since annotators missed the edges; a run that
        goes past the last pixel ends there. Source: cure-lab/PnPInversion, evaluation/evaluate.py.
        """
        flat = np.zeros(self.side**2, np.bool_)
        for start, length in zip(self.runs[::2], self.runs[1::2], strict=True):
            flat[start : start + length] = True
        mask = flat.reshape(self.side, self.side)
        mask[[0, -1], :] = mask[:, [0, -1]] = True
        return mask


@dataclass(frozen=True)
class PaintedMask:
    """Where an edit belongs, as a picture.

    Attributes:
        path: Its file: white where the edit belongs, of the size of the input.
    """

    path: Path

    def decode(self) -> npt.NDArray[np.bool_]:
        """Return where the edit belongs, shape (height, width)."""
        half = 255 // 2
        return np.asarray(open_mask(self.path)) > half
