"""What a job needs, phase by phase and lever by lever, for the models that were counted."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from imagic_lora.memory.ladder import LADDER, PHASES, Phase

_MARGIN = 1.15
"""Peaks measured on GPUs are 1.02 to 1.15 times what is counted without one."""

_WORKSPACE = 0.45
"""What cuDNN's convolutions take beside that while an autoencoder works, as a share of what is
counted for it alone: measured 0.4 with SDXL's, less with Stable Diffusion 1.5's."""

_CONTEXT = 500_000_000
"""Bytes that the CUDA context and the workspaces of its libraries take beside the tensors."""

_ALONE = 1 + next(rung for rung, lever in enumerate(LADDER) if lever.name == "offload")
"""Rung from which an autoencoder has the device for itself."""


@dataclass(frozen=True)
class Footprint:
    """Counted peaks of one model, at its own size and the default settings.

    Attributes:
        model: Name of the model.
        counted: For each phase, the bytes after pulling no lever, the first one, the first two,
            and so on up the ladder; half-precision weights.
    """

    model: str
    counted: Mapping[Phase, Sequence[int]]

    def __post_init__(self) -> None:
        for phase in PHASES:
            if len(self.counted[phase]) != len(LADDER) + 1:
                raise ValueError(f"The footprint of {self.model} lacks figures of {phase!r}.")

    def counted_bytes(self, phase: Phase, rung: int, bytes_per_weight: int = 2) -> int:
        """Return the bytes that the tensors of a phase take at a rung of the ladder.

        Args:
            phase: The phase.
            rung: How many levers are pulled.
            bytes_per_weight: 2 for half precision, as counted; 4 is taken as twice that, which is
                a little too much, since what is trained is float32 in both.
        """
        return self.counted[phase][rung] * bytes_per_weight // 2

    def predicted_bytes(self, phase: Phase, rung: int, bytes_per_weight: int = 2) -> int:
        """Return the bytes that a device needs for a phase, with a margin, workspaces and a context."""
        found = predict(self.counted_bytes(phase, rung, bytes_per_weight))
        if phase not in ("image encode", "decode"):
            return found
        alone = self.counted_bytes(phase, max(rung, _ALONE), bytes_per_weight)
        return found + int(alone * _WORKSPACE)

    def peak(self, rung: int, bytes_per_weight: int = 2) -> int:
        """Return the bytes that a device needs for the whole job."""
        return max(self.predicted_bytes(phase, rung, bytes_per_weight) for phase in PHASES)


def predict(counted: int) -> int:
    """Return the bytes that a device needs where so many were counted."""
    return int(counted * _MARGIN) + _CONTEXT


@cache
def footprints() -> Mapping[str, Footprint]:
    """Return the footprints of the models that were counted, by name."""
    text = files("imagic_lora.memory").joinpath("footprints.json").read_text("utf-8")
    return {name: Footprint(name, counted) for name, counted in json.loads(text).items()}
