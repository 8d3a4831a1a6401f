"""The rows of a table: the product, and what a reader needs beside it to read its figures.

Doing nothing wins most scores of what should stay, so the input itself and what the autoencoder
makes of it are rows too. Every row has one setting for all items; nothing is chosen by a score.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from PIL import Image

from benchmarks.edits.methods import Bench, Method
from benchmarks.edits.methods.imagic import ImagicLora
from benchmarks.edits.methods.img2img import Img2Img
from benchmarks.edits.methods.ledits import LeditsPP
from benchmarks.edits.suite import Case
from imagic_lora.editing.alphas import search
from imagic_lora.editing.edits import Edits

AUTO = math.inf
"""The strength that stands for the one which the product finds by itself."""


@dataclass(frozen=True)
class Product(ImagicLora):
    """The product at one alpha, and at the one that it finds; both of one fit."""

    strengths: tuple[float, ...] = (1.0, AUTO)

    def edit(self, bench: Bench, case: Case, prepared: Edits, strength: float) -> Image.Image:
        """Make the edit at a strength, or look for the strength."""
        if strength == AUTO:
            return search(prepared, ()).best.image
        return super().edit(bench, case, prepared, strength)


@dataclass(frozen=True)
class Unchanged:
    """The input itself."""

    strengths: tuple[float, ...] = (0.0,)
    fixed: float = 0.0

    def prepare(self, bench: Bench, case: Case) -> None:
        """Do nothing."""

    def edit(self, bench: Bench, case: Case, prepared: None, strength: float) -> Image.Image:  # noqa: ARG002 (nothing is edited)
        """Return the input."""
        return case.image

    def facts(self, prepared: None) -> dict[str, float]:  # noqa: ARG002 (nothing is prepared)
        """Return that nothing is kept."""
        return {"bytes": 0}


@dataclass(frozen=True)
class Rebuilt(Unchanged):
    """What the autoencoder alone makes of the input: no edit in its latents can be nearer."""

    def edit(self, bench: Bench, case: Case, prepared: None, strength: float) -> Image.Image:  # noqa: ARG002 (nothing is edited)
        """Return the input, encoded and decoded."""
        return bench.rebuilt(case.image)


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "imagic_lora": Product(),
        "unchanged": Unchanged(),
        "autoencoder": Rebuilt(),
        "img2img": Img2Img(guidance=7.5, strengths=(0.4, 0.6, 0.8), fixed=0.6),
        "ledits_pp": LeditsPP(threshold=0.75, skip=0.15, strengths=(10.0,), fixed=10.0),
    }
)
"""All of them by name. Of LEDITS++ the mask from attention is off, as in `benchmarks.edits`."""


def for_captions(method: Method, *, known: bool) -> Method:
    """Return a method as it is with or without captions of the inputs.

    Args:
        method: The method.
        known: Whether the benchmark says what the inputs show; else the product finds captions.
    """
    if isinstance(method, Product) and not known:
        return Product(caption="found")
    return method


def row_name(method: str, strength: str | float) -> str:
    """Return what the row of a method at one of its strengths is called.

    Args:
        method: Name of the method.
        strength: The strength, as records name it.
    """
    found = float(strength)
    if len(METHODS[method].strengths) == 1:
        return method
    return f"{method}, auto" if found == AUTO else f"{method} at {found:g}"
