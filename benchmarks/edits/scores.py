"""How good an edit is: what the judge reads off it, and how far it is from the ideal drawing."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from benchmarks.world.autoencoder import to_tensor
from benchmarks.world.judge import Judge, load_judge, read_attributes
from benchmarks.world.portrait import ATTRIBUTES, Portrait
from benchmarks.world.worlds import DRAWN, PHOTOGRAPHED
from imagic_lora.bench.columns import Column, Columns
from imagic_lora.bench.metrics.base import Pair, Scores
from imagic_lora.images.reading import open_image

BEST_PSNR = 60.0
"""What two equal pictures score: without noise the ratio would be infinite."""


@dataclass(frozen=True)
class Judged:
    """The scorer of a world's portraits, as `imagic-lora bench own --own-scorer` takes it.

    Attributes:
        weights: File of the judge.
    """

    columns: ClassVar[Columns] = {
        "perfect": Column("perfect, %", higher=True, unit=100, digits=0),
        "edited": Column("edited, %", higher=True, unit=100, digits=0),
        "kept": Column("others kept, %", higher=True, unit=100, digits=0),
        "psnr_ideal": Column("dB to ideal", higher=True, digits=1),
        "psnr_outside": Column("dB outside", higher=True, digits=1),
        "distance_ideal": Column("distance", higher=False, digits=3),
    }

    weights: Path

    def score(self, pair: Pair) -> Scores:
        """Return what the judge reads off a picture, and how near it is to the ideal drawing."""
        return score(judge_of(self.weights), pair)


DRAWINGS, PHOTOS = Judged(DRAWN.weights), Judged(PHOTOGRAPHED.weights)
"""The worlds' scorers, by what their pictures are; the flow's are drawings, too."""


@cache
def judge_of(weights: Path) -> Judge:
    """Return a judge, loaded once in each process.

    Args:
        weights: Its file.
    """
    return load_judge(weights)


def score(
    judge: Judge, pair: Pair, shown: Callable[[Image.Image], Image.Image] = Image.Image.copy
) -> Scores:
    """Score one edited picture.

    Args:
        judge: A trained judge.
        pair: What was asked for, with its ideal edit, and what came back.
        shown: What is made of a picture before the judge sees it.

    Returns:
        "edited", whether the changed attribute reads as asked; "kept", the share of the other
        attributes that read as in the input; "perfect", whether all read as in the ideal edit;
        "psnr_ideal" and "distance_ideal", nearness to the ideal edit in dB and how different it
        looks; "psnr_outside", nearness to the input where the ideal edit changes nothing, in dB.
    """
    item, ideal = pair.item, open_image(str(pair.item.ideal))
    wrong = misread(judge, Portrait(**item.notes["after"]), shown(pair.after))
    changed = item.notes["attribute"]
    lost = [name for name in wrong if name != changed]
    before, after = brightness(pair.before), brightness(pair.after)
    return {
        "perfect": not wrong,
        "edited": changed not in wrong,
        "kept": round(1 - len(lost) / (len(ATTRIBUTES) - 1), 4),
        "psnr_ideal": psnr(after, brightness(ideal)),
        "psnr_outside": psnr(after[pair.kept_part], before[pair.kept_part]),
        "distance_ideal": distance(judge, shown(pair.after), shown(ideal)),
    }


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
