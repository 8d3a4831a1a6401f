"""What people's pictures have and drawn ones have not: a suite of the same edits of worse inputs.

Only changes that leave every attribute readable: the judge has to see them still, which it does not
in inverted colours or in lines alone.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter, ImageOps

from benchmarks.edits.portraits import PortraitCase, Split
from benchmarks.edits.worlds import Portraits

_Light = npt.NDArray[np.float64]


def _as_pixels(change: Callable[[_Light], _Light]) -> Callable[[Image.Image], Image.Image]:
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


STRESSES: Mapping[str, Callable[[Image.Image], Image.Image]] = MappingProxyType(
    {
        "noise": _noisy,
        "stripes": _striped,
        "low contrast": _flat,
        "pale colours": _pale,
        "blur": _blurred,
        "JPEG": _compressed,
        "painted": _painted,
        "few colours": _posterized,
    }
)
"""The changes by name, in the order in which they are dealt out to cases."""


@dataclass(frozen=True)
class Stressed(Portraits):
    """The drawn portraits, each made worse in one way; so is the ideal edit.

    Attributes:
        name: See Suite.
        kinds: See Suite: here they are the ways.
    """

    name: str = "stressed"
    kinds: tuple[str, ...] = tuple(STRESSES)

    def cases(self, split: Split, count: int) -> Sequence[PortraitCase]:
        """Return the first cases of a split; each round of kinds begins with another stress."""
        return [
            _stressed(case, self.kinds[(index + index // 8) % len(self.kinds)])
            for index, case in enumerate(super().cases(split, count))
        ]


def _stressed(case: PortraitCase, name: str) -> PortraitCase:
    """Return a case with its pictures changed."""
    change = STRESSES[name]
    return replace(case, kind=name, image=change(case.image), ideal=change(case.ideal))
