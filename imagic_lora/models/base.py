"""The few things that fitting and sampling ask of any model.

Nothing outside this folder knows which family it has. A family is one file that fulfils
LatentModel; the families are siblings and share parts (text.py, autoencoder.py), not a base class.
"""

from dataclasses import dataclass
from threading import RLock
from typing import Any, Protocol

import torch

from imagic_lora.conditioning import Conditioning
from imagic_lora.memory import MemoryPlan
from imagic_lora.objective import Objective
from imagic_lora.settings import SchedulerName


@dataclass(frozen=True, kw_only=True)
class Traits:
    """Plain facts about a model.

    Attributes:
        family: Kind of model, e.g. "sd".
        name: Where it was loaded from: a Hub name, or the name of a folder or file.
        fingerprints: Short hashes of the denoiser's weights, which tell checkpoints apart: the
            one that new adapters carry, then those that former ones may carry.
        native_size: Side of the square canvas that it was trained on, in pixels.
        multiple: Canvas sides are multiples of this, in pixels.
        width: Channels of the denoiser's first level.
        token_width: Width of a token embedding.
        pooled_width: Width of the pooled embedding, or None where the family has none.
        lora_targets: Endings of the names of the layers that a fit adapts.
    """

    family: str
    name: str
    fingerprints: tuple[str, ...]
    native_size: int
    multiple: int
    width: int
    token_width: int
    pooled_width: int | None
    lora_targets: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """The hash that new adapters carry."""
        return self.fingerprints[0]


class LatentModel(Protocol):
    """A text-conditioned latent diffusion model.

    Attributes:
        traits: Plain facts.
        objective: Noise schedule and prediction target.
        denoiser: The network that predicts; frozen.
        plan: Where it works and in what precision.
        lock: Held by everything that works with the model, so that threads take turns.
    """

    lock: RLock
    traits: Traits
    objective: Objective
    denoiser: torch.nn.Module
    plan: MemoryPlan

    def replan(self, plan: MemoryPlan) -> None:
        """Work by another plan from now on; weights that it rounds stay rounded."""

    def parts(self) -> list[torch.nn.Module]:
        """Return the networks: the denoiser, the autoencoder, then what encodes text."""

    def encode_prompt(self, *prompts: str) -> Conditioning:
        """Return the conditioning of prompts, a row for each, float32, on the plan's device.

        A prompt that is too long is cut, with an ImagicWarning that quotes what was lost.
        """

    def encode_image(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return latents of shape (B, C, h, w), float32, for pixels (B, 3, H, W) in [-1, 1]."""

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return pixels (B, 3, H, W), float32 in [-1, 1], for latents (B, C, h, w)."""

    def predict(
        self, x_t: torch.Tensor, t: torch.Tensor, conditioning: Conditioning
    ) -> torch.Tensor:
        """Return the denoiser's float32 output for x_t (B, C, h, w) at t (B,)."""

    def scheduler(self, name: SchedulerName) -> Any:
        """Return a fresh diffusers scheduler: a named one, or the model's own for "model"."""
