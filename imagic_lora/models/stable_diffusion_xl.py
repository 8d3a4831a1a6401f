"""Stable Diffusion XL: two text encoders, a pooled embedding, size conditioning, a UNet."""

from collections.abc import Sequence
from typing import Any

import torch

from imagic_lora.conditioning import Conditioning, concatenate, evened
from imagic_lora.errors import AdapterMismatchError
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

_FAMILY = find_family("sdxl")


class StableDiffusionXL:
    """A Stable Diffusion XL pipeline as a LatentModel.

    Args:
        pipeline: A diffusers StableDiffusionXLPipeline on the CPU, frozen.
        name: Where it was loaded from.
        plan: Where it works.
    """

    def __init__(self, pipeline: Any, name: str, plan: MemoryPlan) -> None:
        self.denoiser = pipeline.unet
        self.objective = read_objective(pipeline.scheduler)
        self._own_scheduler = pipeline.scheduler
        self._autoencoder = Autoencoder(pipeline.vae, plan)
        check_channels(pipeline.unet.config.in_channels, self._autoencoder.channels, name)
        first = TextEncoder(pipeline.tokenizer, pipeline.text_encoder, chunks=CHUNKS)
        second = TextEncoder(
            pipeline.tokenizer_2, pipeline.text_encoder_2, chunks=CHUNKS, noted=first.noted
        )
        self._texts = (first, second)
        self._zeros_for_empty = bool(pipeline.config.get("force_zeros_for_empty_prompt", True))
        self.networks = Networks(
            denoiser=pipeline.unet,
            autoencoder=pipeline.vae,
            encoders=tuple(text.module for text in self._texts),
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
            token_count=self._texts[0].length,
            chunks=CHUNKS,
            token_width=sum(text.width for text in self._texts),
            pooled_width=int(pipeline.text_encoder_2.config.projection_dim),
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
        """Return tokens of shape (B, tokens, width) and the pooled embeddings.

        The tokens are the last but one hidden states of both encoders, side by side; the pooled
        embedding is the second encoder's, of the first chunk of a long prompt. Where the model was
        trained so, the empty prompt is zero.
        """
        return relieved(self, "text encode", lambda: self._encode(prompts))

    def _encode(self, prompts: Sequence[str]) -> Conditioning:
        with self.plan.resident(*self.networks.encoders):
            return concatenate([self._encode_one(prompt) for prompt in prompts])

    def _encode_one(self, prompt: str) -> Conditioning:
        """Return the conditioning of one prompt, with the encoders on the device."""
        chunks = [text.encode(prompt, self.plan.device) for text in self._texts]
        # Words that one tokenizer alone has learned may leave it with fewer chunks.
        most = max(map(len, chunks))
        full = ([*some, *some[-1:] * (most - len(some))] for some in chunks)
        outputs = list(zip(*full, strict=True))
        rows = [torch.cat([one.hidden_states[-2] for one in pair], dim=-1) for pair in outputs]
        pooled = outputs[0][1].text_embeds.float()
        conditioning = Conditioning(torch.cat(rows, dim=1).float(), pooled)
        if prompt == "" and self._zeros_for_empty:
            return conditioning.map(torch.zeros_like)
        return conditioning

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
        if conditioning.pooled is None:
            raise AdapterMismatchError(
                "The conditioning has no pooled embedding, which Stable Diffusion XL needs; it was "
                "made by a model of another family."
            )
        added = {
            "text_embeds": conditioning.pooled.to(dtype),
            "time_ids": self._time_ids(x_t).to(dtype),
        }
        output: torch.Tensor = self.denoiser(
            x_t.to(dtype),
            t,
            encoder_hidden_states=conditioning.tokens.to(dtype),
            added_cond_kwargs=added,
            return_dict=False,
        )[0]
        return output.float()

    def _time_ids(self, x_t: torch.Tensor) -> torch.Tensor:
        """Return the size conditioning of an uncropped canvas, shape (B, 6).

        Original height and width, crop top and left, target height and width, in pixels.
        Source: Podell et al. 2023, arXiv 2307.01952, section 2.2.
        """
        height, width = (side * self._autoencoder.factor for side in x_t.shape[-2:])
        row = torch.tensor([height, width, 0, 0, height, width], device=x_t.device)
        return row.expand(len(x_t), 6)

    def sampler(self, name: SchedulerName, steps: int, shape: tuple[int, ...]) -> Sampler:
        """Return a fresh sampler by name; the schedule is the same for every canvas."""
        del shape
        return diffusion_sampler(name, self._own_scheduler, self.objective, steps, self.plan.device)
