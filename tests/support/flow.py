"""A family that the tests alone know: a transformer that follows a flow, its prompts ragged.

It has what no family of Stable Diffusion has, so that whatever the library takes for granted of
those shows here: times from 0 to 1, latents of 16 channels, another name for the denoiser, a shifted
autoencoder, and prompts of any length with a mask beside them.
"""

from collections.abc import Sequence
from typing import Any

import torch

from imagic_lora.conditioning import Conditioning, concatenate
from imagic_lora.memory import MemoryPlan, relieved
from imagic_lora.models.base import Networks, Sampler, Traits
from imagic_lora.models.families import FAMILIES
from imagic_lora.models.family import Architecture, Family
from imagic_lora.models.parts.autoencoder import Autoencoder
from imagic_lora.models.parts.fingerprint import fingerprints
from imagic_lora.models.parts.lock import Lock
from imagic_lora.models.parts.samplers import flow_sampler
from imagic_lora.objective import Flow
from imagic_lora.settings import SchedulerName

FAMILY = Family(
    name="tiny-flow",
    description="A tiny transformer that follows a flow.",
    model="tests.support.flow:TinyFlow",
    pipelines=("Lumina2Pipeline",),
    networks={
        "transformer": ("diffusers.Lumina2Transformer2DModel",),
        "vae": ("diffusers.AutoencoderKL",),
        "text_encoder": ("transformers.CLIPTextModel",),
    },
    plain={
        "tokenizer": ("transformers.CLIPTokenizer", "transformers.CLIPTokenizerFast"),
        "scheduler": ("diffusers.FlowMatchEulerDiscreteScheduler",),
    },
    denoiser="transformer",
    exact_layers=("x_embedder", "norm_out.linear_2"),
    architectures=(Architecture(modelspec="tiny-flow", kohya="tiny-flow"),),
    checkpoint_keys=("tiny_flow.",),
)


LORA_TARGETS = ("to_q", "to_k", "to_v", "to_out.0", "linear_1", "linear_2", "linear_3")


def register() -> None:
    """Let the library know the family."""
    FAMILIES[FAMILY.name] = FAMILY


class TinyFlow:
    """A pipeline of the family as a LatentModel.

    Args:
        pipeline: A diffusers Lumina2Pipeline on the CPU, frozen.
        name: Where it was loaded from.
        plan: Where it works.
    """

    def __init__(self, pipeline: Any, name: str, plan: MemoryPlan) -> None:
        self.lock = Lock()
        self.objective = Flow()
        self.denoiser = pipeline.transformer
        self.networks = Networks(pipeline.transformer, pipeline.vae, (pipeline.text_encoder,))
        self._tokenizer, self._encoder = pipeline.tokenizer, pipeline.text_encoder
        self._own_scheduler = pipeline.scheduler
        self._autoencoder = Autoencoder(pipeline.vae, plan)
        self.traits = Traits(
            family=FAMILY.name,
            name=name,
            fingerprints=fingerprints(pipeline.transformer),
            native_size=pipeline.transformer.config.sample_size * self._autoencoder.factor,
            multiple=pipeline.transformer.config.patch_size * self._autoencoder.factor,
            latent_channels=self._autoencoder.channels,
            latent_factor=self._autoencoder.factor,
            token_count=self._encoder.config.max_position_embeddings,
            ragged=True,
            token_width=self._encoder.config.hidden_size,
            pooled_width=None,
            lora_targets=LORA_TARGETS,
            rate=10.0,
        )
        self.replan(plan)

    def replan(self, plan: MemoryPlan) -> None:
        """Work by another plan from now on."""
        self.plan = plan
        self._autoencoder = Autoencoder(self.networks.autoencoder, plan)
        plan.prepare(self.networks, exact=FAMILY.exact_layers)

    @torch.no_grad()
    def encode_prompt(self, *prompts: str) -> Conditioning:
        """Return the last hidden states of as many tokens as each prompt has."""
        return relieved(self, "text encode", lambda: self._encode(prompts))

    def _encode(self, prompts: Sequence[str]) -> Conditioning:
        with self.plan.resident(*self.networks.encoders):
            return concatenate([self._encode_one(prompt) for prompt in prompts])

    def _encode_one(self, prompt: str) -> Conditioning:
        length = self.traits.token_count
        found = self._tokenizer(prompt, truncation=True, max_length=length, return_tensors="pt")
        return Conditioning(self._encoder(found.input_ids.to(self.plan.device))[0].float())

    def encode_image(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the mean latents, shifted to a mean of zero."""
        return relieved(self, "image encode", lambda: self._autoencoder.encode(pixels))

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return pixels."""
        return relieved(self, "decode", lambda: self._autoencoder.decode(latents))

    def predict(
        self, x_t: torch.Tensor, t: torch.Tensor, conditioning: Conditioning
    ) -> torch.Tensor:
        """Return the velocity towards noise; the transformer's time and output run the other way."""
        dtype = self.denoiser.dtype
        output: torch.Tensor = self.denoiser(
            hidden_states=x_t.to(dtype),
            timestep=(1 - t).to(dtype),
            encoder_hidden_states=conditioning.tokens.to(dtype),
            encoder_attention_mask=conditioning.counted(),
            return_dict=False,
        )[0]
        return -output.float()

    def sampler(self, name: SchedulerName, steps: int, shape: tuple[int, ...]) -> Sampler:
        """Return a fresh sampler by name."""
        del shape
        return flow_sampler(name, self._own_scheduler, steps, self.plan.device)
