"""How good an edit is: what the judge reads off it, and how far it is from the ideal drawing."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from benchmarks.edits.portraits import PortraitCase
from benchmarks.world.autoencoder import to_tensor
from benchmarks.world.judge import Judge, read_attributes
from benchmarks.world.portrait import ATTRIBUTES, Portrait

CHANGED = 8
"""Difference of brightness, of 255, from which a pixel of the ideal edit counts as changed."""

BEST_PSNR = 60.0
"""What two equal pictures score: without noise the ratio would be infinite."""


@dataclass(frozen=True)
class Score:
    """What one edited picture is worth.

    Attributes:
        edited: Whether the changed attribute reads as asked.
        kept: Share of the other attributes that read as in the input.
        perfect: Whether all attributes read as in the ideal edit.
        psnr_ideal: Nearness to the drawing of the ideal edit, in dB.
        psnr_outside: Nearness to the input where the ideal edit changes nothing, in dB.
        lost: Names of the other attributes that did not stay.
    """

    edited: bool
    kept: float
    perfect: bool
    psnr_ideal: float
    psnr_outside: float
    lost: tuple[str, ...]


def score(judge: Judge, case: PortraitCase, picture: Image.Image) -> Score:
    """Score one edited picture.

    Args:
        judge: A trained judge.
        case: What was asked for.
        picture: What came back, of the size of the drawings.
    """
    wrong = misread(judge, case.after, picture)
    lost = tuple(name for name in wrong if name != case.attribute)
    before, ideal = brightness(case.image), brightness(case.ideal)
    outside = np.abs(ideal - before).max(axis=2) < CHANGED
    edited = brightness(picture)
    return Score(
        edited=case.attribute not in wrong,
        kept=round(1 - len(lost) / (len(ATTRIBUTES) - 1), 4),
        perfect=not wrong,
        psnr_ideal=psnr(edited, ideal),
        psnr_outside=psnr(edited[outside], before[outside]),
        lost=lost,
    )


def misread(judge: Judge, portrait: Portrait, picture: Image.Image) -> tuple[str, ...]:
    """Return the attributes that the judge reads otherwise than the portrait has them."""
    read = read_attributes(judge, to_tensor(np.array(picture.convert("RGB"))[None]))
    found = {name: ATTRIBUTES[name][int(index[0])] for name, index in read.items()}
    return tuple(name for name, value in found.items() if value != getattr(portrait, name))


def psnr(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> float:
    """Return the peak signal-to-noise ratio of brightnesses 0 to 255, in dB."""
    error = float(np.mean((first - second) ** 2)) if first.size else 0.0
    if error == 0:
        return BEST_PSNR
    return round(min(BEST_PSNR, 20 * math.log10(255) - 10 * math.log10(error)), 2)


@torch.no_grad()
def distance(judge: Judge, first: Image.Image, second: Image.Image) -> float:
    """Return how different two pictures look to the judge, from 0, the same, upwards.

    The features behind each of its convolutions are compared place by place, each place scaled to
    length 1: a shift of brightness counts little, another shape much.

    Args:
        judge: A trained judge.
        first: A picture of the size of the drawings.
        second: Another one.

    Source: Zhang et al. 2018 (LPIPS), arXiv 1801.03924, equation 1, all channels weighing the same.
    """
    features = to_tensor(np.stack([np.array(one.convert("RGB")) for one in (first, second)]))
    found = []
    for layer in judge.trunk:
        features = layer(features)
        if isinstance(layer, torch.nn.SiLU):
            one, other = torch.nn.functional.normalize(features, dim=1)
            found.append(float((one - other).square().sum(dim=0).mean()))
    return round(sum(found) / len(found), 4)


def brightness(picture: Image.Image) -> npt.NDArray[np.float64]:
    """Return a picture's brightnesses, 0 to 255, shape (height, width, 3)."""
    return np.asarray(picture.convert("RGB"), np.float64)
