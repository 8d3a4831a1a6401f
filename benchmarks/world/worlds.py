"""The worlds that there are: how portraits look, the model trained on them, and their judge."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from benchmarks.world.judge import WEIGHTS
from benchmarks.world.pipeline import MODEL, REPOSITORY

_FLOWING = REPOSITORY / "benchmarks" / "world" / "flowing"
_PHOTOS = REPOSITORY / "benchmarks" / "world" / "photos"


@dataclass(frozen=True)
class World:
    """Portraits of one look, what draws them and what reads them.

    Attributes:
        name: Names its results.
        model: Folder of the finished pipeline.
        weights: File of the finished judge.
        photographed: Whether the portraits look like photographs, or are plainly drawn.
        kind: What the model does.
    """

    name: str
    model: Path
    weights: Path
    photographed: bool = False
    kind: Literal["diffusion", "flow"] = "diffusion"


DRAWN = World("portraits", MODEL, WEIGHTS)
"""What the demo shows."""

PHOTOGRAPHED = World("photos", _PHOTOS / "model", _PHOTOS / "judge.safetensors", photographed=True)
"""What differs where the drawn world is kind: textures and light."""

FLOWING = World("flow", _FLOWING / "model", WEIGHTS, kind="flow")
"""The drawn portraits by a transformer that follows a flow."""

WORLDS: Mapping[str, World] = MappingProxyType(
    {each.name: each for each in (DRAWN, PHOTOGRAPHED, FLOWING)}
)
"""All of them by name; the first is the default."""
