"""Z-Image: a language model reads the prompt, a transformer follows the flow; prompts are ragged."""

from collections.abc import Sequence
from typing import Any

import torch

from imagic_lora.conditioning import Conditioning, concatenate
from imagic_lora.memory import MemoryPlan, relieved
from imagic_lora.models.base import Networks, Sampler, Traits
from imagic_lora.models.families import find_family
from imagic_lora.models.parts.autoencoder import Autoencoder
from imagic_lora.models.parts.chat import ChatReader, stem
from imagic_lora.models.parts.fingerprint import fingerprints
from imagic_lora.models.parts.lock import Lock
from imagic_lora.models.parts.samplers import flow_sampler
from imagic_lora.models.parts.text import movable
from imagic_lora.models.parts.transformer import check_channels, learning_rate
from imagic_lora.objective import Flow
from imagic_lora.settings import SchedulerName

_FAMILY = find_family("zimage")

_BASE = "Tongyi-MAI/Z-Image"

_TURBO_SHIFT = 3.0
"""Shift of the times of Turbo, whose parts are otherwise those of the base, which has 6."""

_PATCH = 2

_LORA_TARGETS = (
    "attention.to_q",
    "attention.to_k",
    "attention.to_v",
    "attention.to_out.0",
    "feed_forward.w1",
    "feed_forward.w2",
    "feed_forward.w3",
)
"""Attention and feed-forward, those of the refiners too."""


class ZImage:
    """A Z-Image pipeline as a LatentModel.

    Args:
        pipeline: A diffusers ZImagePipeline on the CPU, frozen; its language model is cut off above
            what is read of it.
        name: Where it was loaded from.
        plan: Where it works.
    """

    def __init__(self, pipeline: Any, name: str, plan: MemoryPlan) -> None:
        self.lock = Lock()
        self.objective = Flow()
        self.denoiser = transformer = pipeline.transformer
        self._own_scheduler = pipeline.scheduler
        self._text = _reader(pipeline)
        self.networks = Networks(transformer, pipeline.vae, (self._text.module,))
        self._autoencoder = Autoencoder(pipeline.vae, plan)
        check_channels(transformer, self._autoencoder.channels, name)
        distilled = pipeline.scheduler.config.shift == _TURBO_SHIFT
        self.traits = Traits(
            family=_FAMILY.name,
            name=name,
            fingerprints=fingerprints(transformer),
            native_size=pipeline.vae.config.sample_size,
            multiple=_PATCH * self._autoencoder.factor,
            latent_channels=self._autoencoder.channels,
            latent_factor=self._autoencoder.factor,
            token_count=self._text.length,
            ragged=True,
            token_width=self._text.width,
            pooled_width=None,
            lora_targets=_LORA_TARGETS,
            rate=learning_rate(transformer.config.dim),
            differences=True,
            base=_BASE if distilled else "",
        )
        self.replan(plan)

    def replan(self, plan: MemoryPlan) -> None:
        """Work by another plan from now on; what it rounds stays rounded."""
        self.plan = plan
        self._autoencoder = Autoencoder(self.networks.autoencoder, plan)
        plan.prepare(self.networks, exact=_FAMILY.exact_layers)

    @torch.no_grad()
    def encode_prompt(self, *prompts: str) -> Conditioning:
        """Return the last but one hidden states of as many tokens as each prompt has."""
        return relieved(self, "text encode", lambda: self._encode(prompts))

    def _encode(self, prompts: Sequence[str]) -> Conditioning:
        with self.plan.resident(self._text.module):
            read = [self._text.encode(prompt, self.plan.device) for prompt in prompts]
        return concatenate(
            [Conditioning(tokens, own=movable(own, tokens.shape[-1])) for tokens, own in read]
        )

    def encode_image(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the mean latents, shape (B, C, H / factor, W / factor)."""
        return relieved(self, "image encode", lambda: self._autoencoder.encode(pixels))

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return pixels, shape (B, 3, H, W)."""
        return relieved(self, "decode", lambda: self._autoencoder.decode(latents))

    def predict(
        self, x_t: torch.Tensor, t: torch.Tensor, conditioning: Conditioning
    ) -> torch.Tensor:
        """Return the velocity towards noise, shape (B, C, h, w).

        Each prompt is filled up by itself, as the plain pipeline does, so that a row is the same
        alone as in a batch. The transformer's time and output run the other way.
        """
        dtype = self.denoiser.dtype
        prompts = [row.tokens[0].to(dtype) for row in conditioning.rows()]
        output: list[torch.Tensor] = self.denoiser(
            list(x_t.to(dtype).unsqueeze(2).unbind(0)), 1 - t, prompts, return_dict=False
        )[0]
        return -torch.stack(output).squeeze(2).float()

    def sampler(self, name: SchedulerName, steps: int, shape: tuple[int, ...]) -> Sampler:
        """Return a fresh sampler by name; the schedule is the same for every canvas."""
        del shape
        return flow_sampler(name, self._own_scheduler, steps, self.plan.device)


def _reader(pipeline: Any) -> ChatReader:
    """Return what reads prompts: the hidden states that enter the last layer."""
    state = int(pipeline.text_encoder.config.num_hidden_layers) - 1
    module = stem(pipeline.text_encoder, state)
    return ChatReader(pipeline.tokenizer, module, (state,), thinking=True, filled=False)
