"""Stable Diffusion 1.x and 2.x: one text encoder, a UNet, an autoencoder."""

from collections.abc import Sequence
from typing import Any

import torch

from imagic_lora.conditioning import Conditioning, concatenate, evened
from imagic_lora.memory import MemoryPlan, relieved
from imagic_lora.models.base import Networks, Sampler, Traits
from imagic_lora.models.families import find_family
from imagic_lora.models.parts.autoencoder import Autoencoder
from imagic_lora.models.parts.fingerprint import fingerprints
from imagic_lora.models.parts.lock import Lock
from imagic_lora.models.parts.samplers import diffusion_sampler, read_objective
from imagic_lora.models.parts.text import CHUNKS, TextEncoder
from imagic_lora.models.parts.unet import LORA_TARGETS, check_channels, learning_rate
from imagic_lora.settings import SchedulerName

_FAMILY = find_family("sd")


class StableDiffusion:
    """A Stable Diffusion 1.x or 2.x pipeline as a LatentModel.

    Args:
        pipeline: A diffusers StableDiffusionPipeline on the CPU, frozen.
        name: Where it was loaded from.
        plan: Where it works.
    """

    def __init__(self, pipeline: Any, name: str, plan: MemoryPlan) -> None:
        self.denoiser = pipeline.unet
        self.objective = read_objective(pipeline.scheduler)
        self._own_scheduler = pipeline.scheduler
        self._autoencoder = Autoencoder(pipeline.vae, plan)
        check_channels(pipeline.unet.config.in_channels, self._autoencoder.channels, name)
        self._text = TextEncoder(pipeline.tokenizer, pipeline.text_encoder, chunks=CHUNKS)
        self.networks = Networks(
            denoiser=pipeline.unet,
            autoencoder=pipeline.vae,
            encoders=(self._text.module,),
        )
        self.lock = Lock()
        self.traits = Traits(
            family=_FAMILY.name,
            name=name,
            fingerprints=fingerprints(pipeline.unet),
            native_size=pipeline.unet.config.sample_size * self._autoencoder.factor,
            multiple=max(8, self._autoencoder.factor),
            latent_channels=self._autoencoder.channels,
            latent_factor=self._autoencoder.factor,
            token_count=self._text.length,
            chunks=CHUNKS,
            token_width=self._text.width,
            pooled_width=None,
            lora_targets=LORA_TARGETS,
            rate=learning_rate(pipeline.unet),
        )
        self.replan(plan)

    def replan(self, plan: MemoryPlan) -> None:
        """Work by another plan from now on; what it rounds stays rounded."""
        self.plan = plan
        self._autoencoder = Autoencoder(self.networks.autoencoder, plan)
        plan.prepare(self.networks, exact=_FAMILY.exact_layers)

    @torch.no_grad()
    def encode_prompt(self, *prompts: str) -> Conditioning:
        """Return the last hidden states, shape (B, tokens, width)."""
        return relieved(self, "text encode", lambda: self._encode(prompts))

    def _encode(self, prompts: Sequence[str]) -> Conditioning:
        with self.plan.resident(*self.networks.encoders):
            return concatenate([self._encode_one(prompt) for prompt in prompts])

    def _encode_one(self, prompt: str) -> Conditioning:
        """Return the conditioning of one prompt, with the encoder on the device."""
        chunks = self._text.encode(prompt, self.plan.device)
        return Conditioning(torch.cat([chunk.last_hidden_state.float() for chunk in chunks], dim=1))

    def encode_image(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the mean latents, shape (B, C, H / factor, W / factor)."""
        return relieved(self, "image encode", lambda: self._autoencoder.encode(pixels))

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return pixels, shape (B, 3, H, W)."""
        return relieved(self, "decode", lambda: self._autoencoder.decode(latents))

    def predict(
        self, x_t: torch.Tensor, t: torch.Tensor, conditioning: Conditioning
    ) -> torch.Tensor:
        """Return the UNet's output, shape (B, C, h, w)."""
        dtype = self.denoiser.dtype
        (conditioning,) = evened(conditioning)
        tokens = conditioning.tokens.to(dtype)
        output: torch.Tensor = self.denoiser(
            x_t.to(dtype), t, encoder_hidden_states=tokens, return_dict=False
        )[0]
        return output.float()

    def sampler(self, name: SchedulerName, steps: int, shape: tuple[int, ...]) -> Sampler:
        """Return a fresh sampler by name; the schedule is the same for every canvas."""
        del shape
        return diffusion_sampler(name, self._own_scheduler, self.objective, steps, self.plan.device)
