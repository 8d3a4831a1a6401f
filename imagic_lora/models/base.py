"""The few things that fitting and sampling ask of any model.

Nothing outside this folder knows which family it has. A family is one file that fulfils
LatentModel; the families are siblings and share parts (text.py, autoencoder.py), not a base class.
"""

from dataclasses import dataclass
from typing import Protocol

import torch

from imagic_lora.conditioning import Conditioning
from imagic_lora.memory import MemoryPlan
from imagic_lora.models.parts.lock import Lock
from imagic_lora.objective import Objective
from imagic_lora.settings import SchedulerName


@dataclass(frozen=True, kw_only=True)
class Traits:
    """Plain facts about a model.

    Attributes:
        family: Kind of model, a name of families.py.
        name: Where it was loaded from: a Hub name, or the name of a folder or file.
        fingerprints: Short hashes of the denoiser's weights, which tell checkpoints apart: the
            one that new adapters carry, then those that former ones may carry.
        native_size: Side of the square canvas that it was trained on, in pixels.
        multiple: Canvas sides are multiples of this, in pixels.
        latent_channels: Channels of the latents.
        latent_factor: Pixels per latent, along each side.
        token_count: Most tokens of a prompt, or of each chunk where long ones are read in chunks.
        chunks: Most chunks of a prompt.
        ragged: Whether a prompt has as many tokens as it needs; else all have the most.
        token_width: Width of a token embedding.
        pooled_width: Width of the pooled embedding, or None where the family has none.
        lora_targets: Endings of the names of the layers that a fit adapts.
        rate: What learning rates are multiplied by for a denoiser of this width.
        differences: Whether adapters hold what a fit moved of its caption's embedding, because the
            whole one would be large.
        left_out: Networks that models of the family have and this one is made without.
        base: The model to fit on instead, where this one was distilled to a few steps; it has no
            classifier-free guidance then. "" is a model that can be fitted.
    """

    family: str
    name: str
    fingerprints: tuple[str, ...]
    native_size: int
    multiple: int
    latent_channels: int
    latent_factor: int
    token_count: int
    token_width: int
    pooled_width: int | None
    lora_targets: tuple[str, ...]
    rate: float
    ragged: bool = False
    chunks: int = 1
    differences: bool = False
    left_out: tuple[str, ...] = ()
    base: str = ""

    @property
    def fingerprint(self) -> str:
        """The hash that new adapters carry."""
        return self.fingerprints[0]


@dataclass(frozen=True)
class Networks:
    """What has weights in a model.

    Attributes:
        denoiser: Predicts.
        autoencoder: Leads from pixels to latents and back.
        encoders: Read prompts.
    """

    denoiser: torch.nn.Module
    autoencoder: torch.nn.Module
    encoders: tuple[torch.nn.Module, ...]

    def all(self) -> tuple[torch.nn.Module, ...]:
        """Return every one."""
        return self.denoiser, self.autoencoder, *self.encoders


class Sampler(Protocol):
    """The steps from noise to latents, for one run.

    Attributes:
        times: What is still to be run, each as `predict` takes it, shape (steps,).
    """

    times: torch.Tensor

    def start(
        self, noise: torch.Tensor, latents: torch.Tensor | None, strength: float
    ) -> torch.Tensor:
        """Return x_t to begin with, and leave out the times before it.

        The convention is diffusers' own for image-to-image, so that strengths mean the same there.

        Args:
            noise: Standard normal noise, shape (B, C, h, w), on the device of the work.
            latents: What is noised, of the same shape; None begins with noise alone.
            strength: Share of the times that is run; at 0 the latents are returned.
        """

    def scaled(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return x_t as `predict` takes it."""

    def step(
        self,
        predicted: torch.Tensor,
        t: torch.Tensor,
        x_t: torch.Tensor,
        generators: list[torch.Generator],
    ) -> torch.Tensor:
        """Return x at the next time, or the clean latents after the last.

        Args:
            predicted: The prediction at x_t.
            t: The time, shape ().
            x_t: Noisy latents, shape (B, C, h, w).
            generators: One for each row, for samplers that draw noise at every step.
        """


class LatentModel(Protocol):
    """A text-conditioned latent diffusion model.

    Attributes:
        traits: Plain facts.
        networks: What has weights; frozen.
        denoiser: The network that predicts.
        plan: Where it works and in what precision.
        lock: Held by everything that works with the model, so that threads take turns.
    """

    lock: Lock
    traits: Traits
    networks: Networks
    denoiser: torch.nn.Module
    plan: MemoryPlan

    @property
    def objective(self) -> Objective:
        """Noise schedule and prediction target."""

    def replan(self, plan: MemoryPlan) -> None:
        """Work by another plan from now on; weights that it rounds stay rounded."""

    def encode_prompt(self, *prompts: str) -> Conditioning:
        """Return the conditioning of prompts, a row for each, float32, on the plan's device.

        A prompt that is too long, also for several chunks where the family has them, is cut, with
        an ImagicWarning that quotes what was lost.
        """

    def encode_image(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return latents of shape (B, C, h, w), float32, for pixels (B, 3, H, W) in [-1, 1]."""

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return pixels (B, 3, H, W), float32 in [-1, 1], for latents (B, C, h, w)."""

    def predict(
        self, x_t: torch.Tensor, t: torch.Tensor, conditioning: Conditioning
    ) -> torch.Tensor:
        """Return the denoiser's float32 output for x_t (B, C, h, w) at times t (B,)."""

    def sampler(self, name: SchedulerName, steps: int, shape: tuple[int, ...]) -> Sampler:
        """Return a fresh sampler, a named one or the model's own for "model".

        Args:
            name: A name of the settings.
            steps: Steps of the whole schedule.
            shape: Shape of the latents, (B, C, h, w).

        Raises:
            SettingsError: When the model has no such sampler, or it cannot make so many steps.
        """
