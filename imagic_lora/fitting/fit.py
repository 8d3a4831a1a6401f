"""The fit: move an embedding and a small LoRA until the frozen model reconstructs one image.

Joint mode moves both in one loop; two-stage mode keeps the paper's order, first the embedding with
the model as it is, then the LoRA at that embedding. The model comes back as it was.
Source: Kawar et al. 2022, arXiv 2210.09276, section 3.2; joint: Zhang et al. 2023 (Forgedit),
arXiv 2309.10556, section 3.2.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from imagic_lora.adapters.weights import Weights
from imagic_lora.conditioning import Conditioning
from imagic_lora.fitting import lora
from imagic_lora.fitting.loop import Loop, Optimisation
from imagic_lora.fitting.loss import Loss
from imagic_lora.fitting.restraint import Restraint
from imagic_lora.memory import denoising
from imagic_lora.memory.relief import Relieved
from imagic_lora.models.base import LatentModel
from imagic_lora.progress import OnProgress
from imagic_lora.seeding import generator
from imagic_lora.settings import FitSettings


@dataclass(frozen=True)
class Fitted:
    """What a fit learned.

    Attributes:
        lora: LoRA weights, half precision, on the CPU.
        conditioning: The optimised conditioning, float32, on the CPU.
        losses: Mean loss of every optimiser step.
        gap: Loss on the bank as a share of what it was before the fit.
    """

    lora: Weights
    conditioning: Conditioning
    losses: tuple[float, ...]
    gap: float


@torch.inference_mode(mode=False)
def fit(
    model: LatentModel,
    latents: torch.Tensor,
    anchor: Conditioning,
    settings: FitSettings,
    on_progress: OnProgress,
    words: tuple[Conditioning, Conditioning] | None = None,
) -> Fitted:
    """Fit one image.

    Args:
        model: The base model; it is unchanged afterwards, however the fit ends.
        latents: Latents of the image, shape (1, C, h, w), float32.
        anchor: Where the embedding starts: the conditioning of a caption, batch 1.
        settings: How to fit.
        on_progress: Called after every step; a StopFit raised in it ends the fit and keeps what
            was learned.
        words: Two conditionings, batch 1, the difference between which must still be heard in the
            end: the fit ends once it outweighs that. None to make every step.

    Raises:
        FitError: When the loss or the gradient is not finite, or the fit makes things worse.
        DeviceError: When memory runs out whatever lever is pulled.
        InputError: When the callback asks for other work with the model.
    """
    joint = settings.mode == "joint"
    with model.lock.training(), _prepared(model, latents, anchor) as (loss, work):
        restraint = Restraint(loss, words, settings.seed, work) if words else None
        loop = Loop(loss, settings, restraint, work, on_progress)
        embedding = loss.conditioning.tensors()
        finished = joint or loop.run("fit embedding", embedding, [])
        with _injected(model, settings, work) as weights:
            if finished:
                loop.run("fit", embedding if joint else [], weights)
            gap = loop.gap()
            conditioning = loss.conditioning.map(lambda tensor: tensor.detach().cpu())
            return Fitted(lora.read(model.denoiser), conditioning, tuple(loop.losses), gap)


@contextmanager
def rehearsal(
    model: LatentModel, latents: torch.Tensor, anchor: Conditioning, settings: FitSettings
) -> Iterator[Callable[[], float]]:
    """Hold all that a fit holds for the length of a block, and give what makes one optimiser step.

    One step needs as much memory as a whole fit, and as much time as any other step, so this is
    what is counted and measured. Nothing that is learned is kept.

    Args:
        model: The base model; it is unchanged afterwards.
        latents: Latents of the image, shape (1, C, h, w), float32.
        anchor: Where the embedding starts, batch 1.
        settings: How to fit.

    Yields:
        A function that makes one step and returns its mean loss.
    """
    with (
        _prepared(model, latents, anchor) as (loss, work),
        _injected(model, settings, work) as weights,
    ):
        embedding = loss.conditioning.tensors()
        steps = Optimisation(loss, settings, "fit", embedding, weights, work)
        # A fit has its optimiser's moments from the second step on.
        for parameter in (*embedding, *weights):
            parameter.grad = torch.zeros_like(parameter)
        steps.optimiser.step()
        yield steps.step


@contextmanager
def _prepared(
    model: LatentModel, latents: torch.Tensor, anchor: Conditioning
) -> Iterator[tuple[Loss, Relieved]]:
    """Hold the denoiser for training, and give the loss with what does work with relief."""
    device = model.plan.device
    anchor = anchor.to(device, torch.float32)
    # A clone, since tensors made in inference mode take no part in gradients.
    loss = Loss(model, latents.to(device).clone(), anchor.trainable())
    with torch.enable_grad(), denoising(model, "fit") as work:
        yield loss, work


@contextmanager
def _injected(
    model: LatentModel, settings: FitSettings, work: Relieved
) -> Iterator[list[torch.nn.Parameter]]:
    """Put fresh LoRA weights into the denoiser for the length of a block, and give them."""

    def inject() -> list[torch.nn.Parameter]:
        lora.eject(model.denoiser)  # what memory that ran out left
        seed = generator(settings.seed, "lora")
        lora.inject(model.denoiser, model.traits.lora_targets, settings.rank, seed)
        parameters = lora.parameters(model.denoiser)
        _try_room(parameters)
        return parameters

    try:
        yield work(inject)
    finally:
        lora.eject(model.denoiser)


def _try_room(parameters: Sequence[torch.Tensor]) -> None:
    """Take what the optimiser will, for a moment: an update that memory ends cannot be made again."""
    each = ("gradient", "mean", "variance", "update")
    _ = [torch.empty_like(parameter) for parameter in parameters for _ in each]
