"""FLUX.2 klein: a language model reads the prompt, a transformer follows the flow of patches."""

from collections.abc import Sequence
from typing import Any

import torch

from imagic_lora.conditioning import Conditioning
from imagic_lora.memory import MemoryPlan, relieved
from imagic_lora.models.base import Networks, Sampler, Traits
from imagic_lora.models.families import find_family
from imagic_lora.models.parts.autoencoder import BatchNormed, patched, unpatched
from imagic_lora.models.parts.chat import ChatReader, stem
from imagic_lora.models.parts.fingerprint import fingerprints
from imagic_lora.models.parts.lock import Lock
from imagic_lora.models.parts.samplers import flow_sampler
from imagic_lora.models.parts.text import movable
from imagic_lora.models.parts.transformer import check_channels, learning_rate
from imagic_lora.objective import Flow
from imagic_lora.settings import SchedulerName

_FAMILY = find_family("flux2")

_BASES = {7680: "black-forest-labs/FLUX.2-klein-base-4B"}
_LARGER_BASE = "black-forest-labs/FLUX.2-klein-base-9B"

_LORA_TARGETS = (
    "to_q",
    "to_k",
    "to_v",
    "to_out.0",
    "add_q_proj",
    "add_k_proj",
    "add_v_proj",
    "to_add_out",
    "ff.linear_in",
    "ff.linear_out",
    "ff_context.linear_in",
    "ff_context.linear_out",
    "to_qkv_mlp_proj",
)
"""Attention and feed-forward of picture and prompt; the last is both at once."""


class Flux2:
    """A FLUX.2 klein pipeline as a LatentModel.

    Args:
        pipeline: A diffusers Flux2KleinPipeline on the CPU, frozen; its language model is cut off
            above what is read of it.
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
        self._autoencoder = BatchNormed(pipeline.vae, plan)
        check_channels(transformer, 4 * self._autoencoder.channels, name)
        distilled = bool(pipeline.config.get("is_distilled", False))
        self.traits = Traits(
            family=_FAMILY.name,
            name=name,
            fingerprints=fingerprints(transformer),
            native_size=pipeline.vae.config.sample_size,
            multiple=2 * self._autoencoder.factor,
            latent_channels=self._autoencoder.channels,
            latent_factor=self._autoencoder.factor,
            token_count=self._text.length,
            token_width=self._text.width,
            pooled_width=None,
            lora_targets=(*_LORA_TARGETS, *_last_layers(transformer)),
            rate=learning_rate(transformer.inner_dim),
            differences=True,
            base=_BASES.get(self._text.width, _LARGER_BASE) if distilled else "",
        )
        self.replan(plan)

    def replan(self, plan: MemoryPlan) -> None:
        """Work by another plan from now on; what it rounds stays rounded."""
        self.plan = plan
        self._autoencoder = BatchNormed(self.networks.autoencoder, plan)
        plan.prepare(self.networks, exact=_FAMILY.exact_layers)

    @torch.no_grad()
    def encode_prompt(self, *prompts: str) -> Conditioning:
        """Return three hidden states of each token side by side, shape (B, tokens, 3 width).

        The transformer reads what fills a prompt up as it reads the prompt.
        """
        return relieved(self, "text encode", lambda: self._encode(prompts))

    def _encode(self, prompts: Sequence[str]) -> Conditioning:
        with self.plan.resident(self._text.module):
            read = [self._text.encode(prompt, self.plan.device) for prompt in prompts]
        tokens, own = (torch.cat(parts) for parts in zip(*read, strict=True))
        return Conditioning(tokens, own=movable(own, tokens.shape[-1]))

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
        patches = patched(x_t.to(dtype))
        rows, columns = patches.shape[-2:]
        output: torch.Tensor = self.denoiser(
            hidden_states=patches.flatten(2).mT,
            timestep=t,
            encoder_hidden_states=conditioning.tokens.to(dtype),
            img_ids=_places(x_t.device, 1, rows, columns, 1),
            txt_ids=_places(x_t.device, 1, 1, 1, conditioning.tokens.shape[1]),
            guidance=None,
            return_dict=False,
        )[0]
        return unpatched(output.float().mT.reshape(*patches.shape))

    def sampler(self, name: SchedulerName, steps: int, shape: tuple[int, ...]) -> Sampler:
        """Return a fresh sampler by name, its times shifted for the canvas and the steps."""
        patches = shape[-2] * shape[-1] // 4
        mu = empirical_mu(patches, steps)
        return flow_sampler(name, self._own_scheduler, steps, self.plan.device, mu)


def _reader(pipeline: Any) -> ChatReader:
    """Return what reads prompts: the hidden states after a quarter, half and three of the layers."""
    depth = int(pipeline.text_encoder.config.num_hidden_layers)
    states = (depth // 4, depth // 2, 3 * depth // 4)
    module = stem(pipeline.text_encoder, states[-1])
    return ChatReader(pipeline.tokenizer, module, states, thinking=False, filled=True)


def _last_layers(transformer: Any) -> list[str]:
    """Return the paths of the layers that end the single blocks: others end alike that are none."""
    count = len(transformer.single_transformer_blocks)
    return [f"single_transformer_blocks.{block}.attn.to_out" for block in range(count)]


def _places(device: torch.device, *sizes: int) -> torch.Tensor:
    """Return the place of every token: of a picture, row, column and word, shape (tokens, 4)."""
    return torch.cartesian_prod(*(torch.arange(size, device=device) for size in sizes))


def empirical_mu(patches: int, steps: int) -> float:
    """Return how far times are shifted towards noise; a shift of e^mu.

    Args:
        patches: Tokens of the picture.
        steps: Steps of the whole schedule.

    Source: `compute_empirical_mu` of Black Forest Labs' and diffusers' own code.
    """
    many = 0.00016927 * patches + 0.45666666
    if patches > 4300:
        return many
    few = 8.73809524e-05 * patches + 1.89833333
    slope = (many - few) / 190
    return slope * steps + many - 200 * slope
