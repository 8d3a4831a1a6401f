"""The paper's own procedure, and its first half alone.

The embedding is optimised from the target's with the model frozen; then the whole denoiser is
fine-tuned at that embedding; edits start from pure noise and interpolate between the embeddings.
Source: Kawar et al. 2022, arXiv 2210.09276, section 3.2; for Stable Diffusion it optimises the
embedding for 1000 steps and the denoiser for 1500. Here the two have the same proportion, in 375
steps of four samples; the learning rates are this small model's own.
"""

import copy
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from PIL import Image

from benchmarks.edits.methods.base import Bench
from imagic_lora.bench.items import Item
from imagic_lora.bench.rivals.base import SEED
from imagic_lora.conditioning import Conditioning
from imagic_lora.editing import guidance, sampling
from imagic_lora.models.base import LatentModel
from imagic_lora.seeding import generator, randn

BATCH = 4


@dataclass(frozen=True)
class Tuned:
    """A fit: the model with its own denoiser, the optimised conditioning, the input's latents."""

    model: LatentModel
    conditioning: Conditioning
    latents: torch.Tensor


@dataclass(frozen=True)
class EmbeddingOnly:
    """The paper's first stage: nothing but the embedding is fitted; the strength is alpha.

    Attributes:
        embedding_steps: Steps of the embedding.
        embedding_lr: Its learning rate.
        guidance: Classifier-free guidance of the edit.
        strengths: See Method.
        fixed: See Method.
    """

    embedding_steps: int = 150
    embedding_lr: float = 1e-2
    guidance: float = 3.0
    strengths: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0, 1.25)
    fixed: float = 0.75

    def prepare(self, bench: Bench, case: Item) -> Tuned:
        """Optimise the target's embedding."""
        model = bench.editor.model
        latents = bench.latents(case)
        conditioning = model.encode_prompt(case.target).trainable()
        tensors = conditioning.tensors()
        reconstruct(model, conditioning, latents, tensors, self.embedding_steps, self.embedding_lr)
        return Tuned(model, conditioning.map(torch.Tensor.detach), latents)

    def edit(self, bench: Bench, case: Item, prepared: Tuned, strength: float) -> Image.Image:
        """Interpolate towards the target's embedding, from pure noise."""
        model = prepared.model
        predictor = guidance.interpolated(
            model,
            model.encode_prompt(""),
            prepared.conditioning,
            model.encode_prompt(case.target),
            strength,
            self.guidance,
        )
        return bench.sample(model, predictor, sampling.Start(prepared.latents, 1, (SEED,)))

    def facts(self, prepared: Tuned) -> dict[str, float]:
        """Return the bytes of the embedding, in half precision."""
        return {"bytes": 2 * sum(tensor.numel() for tensor in prepared.conditioning.tensors())}


@dataclass(frozen=True)
class FullUNet(EmbeddingOnly):
    """Both of the paper's stages.

    Attributes:
        embedding_lr: Learning rate of the embedding; the smaller it is, the larger strengths serve.
        strengths: See Method; as many and as large as the product's.
        fixed: See Method.
        unet_steps: Steps of the denoiser.
        unet_lr: Its learning rate.
    """

    embedding_lr: float = 3e-3
    strengths: tuple[float, ...] = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
    fixed: float = 2.0
    unet_steps: int = 225
    unet_lr: float = 1e-4

    def prepare(self, bench: Bench, case: Item) -> Tuned:
        """Optimise the target's embedding, then a copy of the denoiser."""
        first = super().prepare(bench, case)
        model = copy.copy(first.model)
        model.denoiser = copy.deepcopy(model.denoiser).requires_grad_(requires_grad=True)
        weights = list(model.denoiser.parameters())
        reconstruct(
            model, first.conditioning, first.latents, weights, self.unet_steps, self.unet_lr
        )
        model.denoiser.requires_grad_(requires_grad=False)
        return Tuned(model, first.conditioning, first.latents)

    def facts(self, prepared: Tuned) -> dict[str, float]:
        """Return the bytes of the embedding and the denoiser, in half precision."""
        weights = prepared.model.denoiser.parameters()
        embedding = super().facts(prepared)["bytes"]
        return {"bytes": embedding + 2 * sum(weight.numel() for weight in weights)}


def reconstruct(
    model: LatentModel,
    conditioning: Conditioning,
    latents: torch.Tensor,
    trained: Iterable[torch.Tensor],
    steps: int,
    rate: float,
) -> None:
    """Train tensors in place until the model predicts the noise on one image.

    Args:
        model: The model.
        conditioning: What it is conditioned on, batch 1.
        latents: Latents of the image, shape (1, C, h, w).
        trained: Tensors of the conditioning or the model that take gradients.
        steps: Optimiser steps.
        rate: Adam's learning rate.

    Source: Kawar et al. 2022, arXiv 2210.09276, equation 2.
    """
    optimiser = torch.optim.Adam(list(trained), rate)
    noise, timesteps = generator(SEED, "noise"), generator(SEED, "timesteps")
    x_0, objective = latents.expand(BATCH, *latents.shape[1:]), model.objective
    last = int(objective.time(torch.ones(())))
    with torch.enable_grad():
        for _ in range(steps):
            t = torch.randint(last + 1, (BATCH,), generator=timesteps).to(x_0.device)
            e = randn(tuple(x_0.shape), noise).to(x_0.device)
            x_t = objective.add_noise(x_0, e, t)
            predicted = model.predict(x_t, t, conditioning.repeat(BATCH))
            optimiser.zero_grad()
            loss = torch.nn.functional.mse_loss(predicted, objective.target(x_0, e, t))
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
