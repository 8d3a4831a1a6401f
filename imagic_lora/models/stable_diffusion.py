"""Stable Diffusion 1.x and 2.x: one text encoder, a UNet, an autoencoder."""

from threading import RLock
from typing import Any

import torch

from imagic_lora.conditioning import Conditioning
from imagic_lora.memory import MemoryPlan
from imagic_lora.models.base import Traits
from imagic_lora.models.parts.autoencoder import Autoencoder
from imagic_lora.models.parts.fingerprint import fingerprints
from imagic_lora.models.parts.samplers import make_scheduler, read_objective
from imagic_lora.models.parts.text import TextEncoder
from imagic_lora.models.parts.unet import UNET_LORA_TARGETS
from imagic_lora.settings import SchedulerName


class StableDiffusion:
    """A Stable Diffusion 1.x or 2.x pipeline as a LatentModel.

    Args:
        pipeline: A diffusers StableDiffusionPipeline on the CPU, frozen.
        name: Where it was loaded from.
        plan: Where it works.
    """

    def __init__(self, pipeline: Any, name: str, plan: MemoryPlan) -> None:
        self.lock = RLock()
        self.denoiser = pipeline.unet
        self.objective = read_objective(pipeline.scheduler)
        self._own_scheduler = pipeline.scheduler
        self._autoencoder = Autoencoder(pipeline.vae, plan)
        self._text = TextEncoder(pipeline.tokenizer, pipeline.text_encoder)
        config = pipeline.unet.config
        self.traits = Traits(
            family="sd",
            name=name,
            fingerprints=fingerprints(pipeline.unet),
            native_size=config.sample_size * self._autoencoder.factor,
            multiple=max(8, self._autoencoder.factor),
            width=config.block_out_channels[0],
            token_width=self._text.width,
            pooled_width=None,
            lora_targets=UNET_LORA_TARGETS,
        )
        self.replan(plan)

    def replan(self, plan: MemoryPlan) -> None:
        """Work by another plan from now on; what it rounds stays rounded."""
        self.plan = plan
        self._autoencoder = Autoencoder(self._autoencoder.module, plan)
        denoiser, *encoders = self.parts()
        plan.prepare(denoiser, tuple(encoders))

    def parts(self) -> list[torch.nn.Module]:
        """Return the networks: the denoiser, the autoencoder and what encodes text."""
        return [self.denoiser, self._autoencoder.module, self._text.module]

    @torch.no_grad()
    def encode_prompt(self, *prompts: str) -> Conditioning:
        """Return the last hidden states, shape (B, tokens, width)."""
        with self.plan.resident(self._text.module):
            outputs = [self._text.encode(prompt, self.plan.device) for prompt in prompts]
        return Conditioning(torch.cat([output.last_hidden_state.float() for output in outputs]))

    def encode_image(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the mean latents, shape (B, 4, H / factor, W / factor)."""
        return self._autoencoder.encode(pixels)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return pixels, shape (B, 3, H, W)."""
        return self._autoencoder.decode(latents)

    def predict(
        self, x_t: torch.Tensor, t: torch.Tensor, conditioning: Conditioning
    ) -> torch.Tensor:
        """Return the UNet's output, shape (B, 4, h, w)."""
        dtype = self.denoiser.dtype
        tokens = conditioning.tokens.to(dtype)
        output: torch.Tensor = self.denoiser(
            x_t.to(dtype), t, encoder_hidden_states=tokens, return_dict=False
        )[0]
        return output.float()

    def scheduler(self, name: SchedulerName) -> Any:
        """Return a fresh scheduler by name."""
        return make_scheduler(name, self._own_scheduler)
