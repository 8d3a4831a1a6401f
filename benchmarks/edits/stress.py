"""What people's pictures have and drawn ones have not: a suite of the same edits of worse inputs.

The judge has to read every attribute still, which it does not in lines alone; inverted pictures it is
shown the right way round.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageFilter, ImageOps

from benchmarks.edits.portraits import PortraitCase, Split
from benchmarks.edits.scores import Judged, judge_of, score
from benchmarks.edits.worlds import Portraits
from benchmarks.world.captions import caption_naming
from benchmarks.world.drawing import draw
from benchmarks.world.portrait import held_out_portrait
from imagic_lora.bench.metrics.base import Pair, Scorer, Scores

Change = Callable[[Image.Image], Image.Image]
"""From a picture to what is made of it."""

_BESIDE = 400_000
"""Number of the held-out portrait that stands small beside the others: of none of the splits."""

_SAME = 12
"""Difference of brightness, of 255, up to which a pixel counts as the same."""

_Light = npt.NDArray[np.float64]


def _as_pixels(change: Callable[[_Light], _Light]) -> Change:
    """Return a change of brightnesses, 0 to 255, as one of pictures."""

    def changed(picture: Image.Image) -> Image.Image:
        light = change(np.asarray(picture, np.float64))
        return Image.fromarray(light.clip(0, 255).round().astype(np.uint8))

    return changed


@_as_pixels
def _noisy(light: _Light) -> _Light:
    grain: _Light = np.random.default_rng(0).normal(0, 14, light.shape)
    return light + grain


@_as_pixels
def _striped(light: _Light) -> _Light:
    rows, columns = np.mgrid[: light.shape[0], : light.shape[1]]
    stripes: _Light = 12 * np.sin(0.9 * (rows + columns))[..., None]
    return light + stripes


@_as_pixels
def _flat(light: _Light) -> _Light:
    return 128 + 0.6 * (light - 128)


@_as_pixels
def _pale(light: _Light) -> _Light:
    grey: _Light = light.mean(axis=2, keepdims=True)
    return grey + 0.5 * (light - grey)


def _blurred(picture: Image.Image) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(0.8))


def _painted(picture: Image.Image) -> Image.Image:
    return picture.filter(ImageFilter.ModeFilter(3))


def _posterized(picture: Image.Image) -> Image.Image:
    return ImageOps.posterize(picture, 3)


def _compressed(picture: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=30)
    with Image.open(buffer) as found:
        return found.convert("RGB")


def _inked(picture: Image.Image) -> Image.Image:
    """Return a picture in paler colours within dark lines, as of a comic."""
    white = Image.new("RGB", picture.size, "white")
    lines = picture.convert("L").filter(ImageFilter.CONTOUR).convert("RGB")
    return ImageChops.multiply(Image.blend(white, picture, 0.8), Image.blend(white, lines, 0.5))


def _joined(picture: Image.Image) -> Image.Image:
    """Return a picture with a second, small figure in its upper corner."""
    figure, shape = (each.resize((18, 18), Image.Resampling.LANCZOS) for each in _beside())
    joined = picture.copy()
    joined.paste(figure, (0, 0), shape)
    return joined


@cache
def _beside() -> tuple[Image.Image, Image.Image]:
    """Return the second figure, and where it is: what no background changes."""
    portrait = held_out_portrait(_BESIDE)
    figure, other = (draw(portrait.replace(background=where)) for where in ("meadow", "night"))
    apart = ImageChops.difference(figure, other).convert("L")
    shape = apart.point(lambda level: 255 * (level < _SAME)).filter(ImageFilter.MedianFilter(3))
    return figure, shape


@dataclass(frozen=True)
class Stress:
    """One way in which inputs are worse.

    Attributes:
        change: What is done to the input and to its ideal edit.
        shown: How the judge is shown what is made of it.
        colourless: Whether it leaves no colour what prompts call it, so that none may be named.
    """

    change: Change
    shown: Change = Image.Image.copy
    colourless: bool = False


STRESSES: Mapping[str, Stress] = MappingProxyType(
    {
        "noise": Stress(_noisy),
        "stripes": Stress(_striped),
        "low contrast": Stress(_flat),
        "pale colours": Stress(_pale),
        "blur": Stress(_blurred),
        "JPEG": Stress(_compressed),
        "painted": Stress(_painted),
        "few colours": Stress(_posterized),
        "inked": Stress(_inked),
        "second figure": Stress(_joined),
        "inverted": Stress(ImageOps.invert, shown=ImageOps.invert, colourless=True),
    }
)
"""The ways by name, in the order in which they are dealt out to cases."""

_COLOURED = ("hair", "clothes", "background")
"""Kinds of edits that are about colours."""


@dataclass(frozen=True)
class Shown(Judged):
    """The scorer of a world's portraits, which is shown worse ones as it can read them."""

    def score(self, pair: Pair) -> Scores:
        """Return what the judge reads off a picture, and how near it is to the ideal drawing."""
        return score(judge_of(self.weights), pair, STRESSES[pair.item.kind].shown)


@dataclass(frozen=True)
class Stressed(Portraits):
    """The drawn portraits, each made worse in one way; so is the ideal edit.

    Attributes:
        name: See Suite.
        kinds: See Suite: here they are the ways.
    """

    name: str = "stressed"
    kinds: tuple[str, ...] = tuple(STRESSES)

    @property
    def scorer(self) -> Scorer:
        """What says how good an edit is."""
        return Shown(self.world.weights)

    def cases(self, split: Split, count: int) -> Sequence[PortraitCase]:
        """Return the first cases of a split; each round of kinds begins with another stress."""
        return [
            _stressed(case, self.kinds[index % len(self.kinds) :] + self.kinds)
            for index, case in enumerate(super().cases(split, count))
        ]


def _stressed(case: PortraitCase, names: Sequence[str]) -> PortraitCase:
    """Return a case with its pictures changed in the first of some ways that suits its kind."""
    suited = (name for name in names if not (STRESSES[name].colourless and case.kind in _COLOURED))
    name = next(suited)
    stress = STRESSES[name]
    case = replace(
        case, kind=name, image=stress.change(case.image), ideal=stress.change(case.ideal)
    )
    if not stress.colourless:
        return case
    target = caption_naming(case.after, {case.attribute})
    return replace(case, source=caption_naming(case.before, ()), target=target)
