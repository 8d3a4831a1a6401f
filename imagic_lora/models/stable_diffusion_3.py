"""Stable Diffusion 3 and 3.5 medium: three text encoders, a pooled embedding, a transformer.

The third and largest, T5, may be left out; zeros stand for what it would say.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from imagic_lora.conditioning import Conditioning
from imagic_lora.errors import AdapterMismatchError, heard_by
from imagic_lora.memory import MemoryPlan, relieved
from imagic_lora.models.base import Networks, Sampler, Traits
from imagic_lora.models.families import find_family
from imagic_lora.models.parts.autoencoder import Autoencoder
from imagic_lora.models.parts.fingerprint import fingerprints
from imagic_lora.models.parts.lock import Lock
from imagic_lora.models.parts.positions import keep_positions
from imagic_lora.models.parts.samplers import flow_sampler
from imagic_lora.models.parts.text import TextEncoder, movable
from imagic_lora.models.parts.transformer import check_channels, learning_rate
from imagic_lora.objective import Flow
from imagic_lora.settings import SchedulerName

_FAMILY = find_family("sd3")

_LONG = 256
"""Tokens that T5 is asked to read, as by the plain pipeline."""

_TIMESTEPS = 1000
"""What the transformer takes for noise alone."""

_LORA_TARGETS = (
    "to_q",
    "to_k",
    "to_v",
    "to_out.0",
    "add_q_proj",
    "add_k_proj",
    "add_v_proj",
    "to_add_out",
    "ff.net.0.proj",
    "ff.net.2",
    "ff_context.net.0.proj",
    "ff_context.net.2",
)
"""Attention and feed-forward of picture and prompt."""


class StableDiffusion3:
    """A Stable Diffusion 3 or 3.5 pipeline as a LatentModel.

    Args:
        pipeline: A diffusers StableDiffusion3Pipeline on the CPU, frozen.
        name: Where it was loaded from.
        plan: Where it works.
    """

    def __init__(self, pipeline: Any, name: str, plan: MemoryPlan) -> None:
        self.lock = Lock()
        self.objective = Flow()
        self.denoiser = transformer = pipeline.transformer
        self._own_scheduler = pipeline.scheduler
        self._clips = (
            TextEncoder(pipeline.tokenizer, pipeline.text_encoder),
            TextEncoder(pipeline.tokenizer_2, pipeline.text_encoder_2),
        )
        self._long = (
            None
            if pipeline.text_encoder_3 is None
            else TextEncoder(pipeline.tokenizer_3, pipeline.text_encoder_3, most=_LONG)
        )
        texts = (*self._clips, self._long) if self._long else self._clips
        encoders = tuple(text.module for text in texts)
        self.networks = Networks(transformer, pipeline.vae, encoders)
        self._autoencoder = Autoencoder(pipeline.vae, plan)
        check_channels(transformer, self._autoencoder.channels, name)
        self.traits = Traits(
            family=_FAMILY.name,
            name=name,
            fingerprints=fingerprints(transformer),
            native_size=transformer.config.sample_size * self._autoencoder.factor,
            multiple=transformer.config.patch_size * self._autoencoder.factor,
            latent_channels=self._autoencoder.channels,
            latent_factor=self._autoencoder.factor,
            token_count=self._clips[0].length + (self._long.length if self._long else _LONG),
            left_out=() if self._long else tuple(_FAMILY.optional),
            token_width=transformer.config.joint_attention_dim,
            pooled_width=transformer.config.pooled_projection_dim,
            lora_targets=_LORA_TARGETS,
            rate=learning_rate(transformer.inner_dim),
            differences=True,
        )
        self.replan(plan)

    def replan(self, plan: MemoryPlan) -> None:
        """Work by another plan from now on; what it rounds stays rounded."""
        self.plan = plan
        self._autoencoder = Autoencoder(self.networks.autoencoder, plan)
        keep_positions(self.denoiser.pos_embed)
        plan.prepare(self.networks, exact=_FAMILY.exact_layers)

    @torch.no_grad()
    def encode_prompt(self, *prompts: str) -> Conditioning:
        """Return tokens of shape (B, tokens, width) and the pooled embeddings.

        First come the last but one hidden states of both CLIPs, side by side and filled up with
        zeros to T5's width, then T5's, or zeros where the model has none. The pooled embeddings are
        CLIP's, side by side.
        """
        return relieved(self, "text encode", lambda: self._encode(prompts))

    def _encode(self, prompts: Sequence[str]) -> Conditioning:
        # One encoder at a time, since T5 alone is larger than the transformer.
        outputs = [self._read(text, prompts) for text in self._clips]
        long = self._read_long(prompts)
        states = [torch.cat([each.hidden_states[-2].float() for each in one]) for one in outputs]
        pooled = [torch.cat([each.text_embeds.float() for each in one]) for one in outputs]
        short = torch.cat(states, dim=-1)
        short = functional.pad(short, (0, long.shape[-1] - short.shape[-1]))
        tokens = torch.cat([short, long], dim=1)
        own = torch.cat([self._own(prompt) for prompt in prompts]).to(tokens.device)
        return Conditioning(tokens, torch.cat(pooled, dim=-1), own=movable(own, tokens.shape[-1]))

    def _read_long(self, prompts: Sequence[str]) -> torch.Tensor:
        """Return T5's hidden states, shape (B, tokens, width), or zeros in their place."""
        if self._long is None:
            return torch.zeros(len(prompts), _LONG, self.traits.token_width).to(self.plan.device)
        return torch.cat(
            [each.last_hidden_state.float() for each in self._read(self._long, prompts)]
        )

    def _read(self, text: TextEncoder, prompts: Sequence[str]) -> list[Any]:
        """Return what an encoder says of prompts; only one that reads most says what it cut."""
        with self.plan.resident(text.module):
            if text is (self._long or self._clips[0]):
                return [text.encode(prompt, self.plan.device)[0] for prompt in prompts]
            with heard_by(lambda _: None):
                return [text.encode(prompt, self.plan.device)[0] for prompt in prompts]

    def _own(self, prompt: str) -> torch.Tensor:
        """Return which tokens are a prompt's own, shape (1, tokens)."""
        short = self._clips[0].own(prompt)
        # Zeros hold nothing of a prompt, and stay as they are.
        long = self._long.own(prompt) if self._long else torch.zeros(1, _LONG, dtype=torch.bool)
        return torch.cat([short, long], dim=1)

    def encode_image(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the mean latents, shape (B, C, H / factor, W / factor)."""
        return relieved(self, "image encode", lambda: self._autoencoder.encode(pixels))

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return pixels, shape (B, 3, H, W)."""
        return relieved(self, "decode", lambda: self._autoencoder.decode(latents))

    def predict(
        self, x_t: torch.Tensor, t: torch.Tensor, conditioning: Conditioning
    ) -> torch.Tensor:
        """Return the velocity towards noise, shape (B, C, h, w)."""
        dtype = self.denoiser.dtype
        if conditioning.pooled is None:
            raise AdapterMismatchError(
                "The conditioning has no pooled embedding, which Stable Diffusion 3 needs; it was "
                "made by a model of another family."
            )
        output: torch.Tensor = self.denoiser(
            hidden_states=x_t.to(dtype),
            timestep=_TIMESTEPS * t,
            encoder_hidden_states=conditioning.tokens.to(dtype),
            pooled_projections=conditioning.pooled.to(dtype),
            return_dict=False,
        )[0]
        return output.float()

    def sampler(self, name: SchedulerName, steps: int, shape: tuple[int, ...]) -> Sampler:
        """Return a fresh sampler by name; the schedule is the same for every canvas."""
        del shape
        return flow_sampler(name, self._own_scheduler, steps, self.plan.device)
