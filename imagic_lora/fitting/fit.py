"""The fit: move an embedding and a small LoRA until the frozen model reconstructs one image.

Joint mode moves both in one loop; two-stage mode keeps the paper's order, first the embedding with
the model as it is, then the LoRA at that embedding. The model comes back as it was.
Source: Kawar et al. 2022, arXiv 2210.09276, section 3.2; joint: Zhang et al. 2023 (Forgedit),
arXiv 2309.10556, section 3.2.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from PIL import Image

from imagic_lora.conditioning import Conditioning
from imagic_lora.errors import FitError
from imagic_lora.fitting import lora
from imagic_lora.images.reading import to_images
from imagic_lora.memory import MemoryPlan, peak_bytes, relieved
from imagic_lora.models.base import LatentModel
from imagic_lora.progress import OnProgress, StopFit, Ticker, ignore
from imagic_lora.seeding import generator, randn
from imagic_lora.settings import FitSettings

_REFERENCE_WIDTH = 320
"""Width of the denoiser that learning rates are given for: Stable Diffusion's."""

_BANK = 8
"""Noise samples that the fit is judged by: the same before, during and after it."""

_CHECK_EVERY = 10
"""Optimiser steps between two looks at the bank; a look costs less than a step."""

_PREVIEW_STEPS = 8
"""Denoising steps of a preview: enough to tell the picture, at half the cost of a step."""

_MOST_OVERFLOWS = 16
"""Times in a row that a half-precision gradient may overflow before the fit is given up."""


@dataclass(frozen=True)
class Fitted:
    """What a fit learned.

    Attributes:
        lora: LoRA weights, half precision, on the CPU.
        conditioning: The optimised conditioning, float32, on the CPU.
        losses: Mean loss of every optimiser step.
        gap: Loss on the bank as a share of what it was before the fit.
    """

    lora: dict[str, torch.Tensor]
    conditioning: Conditioning
    losses: tuple[float, ...]
    gap: float


@dataclass(frozen=True)
class _Task:
    """What is to be reconstructed, by which model, from which conditioning."""

    model: LatentModel
    latents: torch.Tensor
    conditioning: Conditioning

    def draw(
        self, count: int, noise: torch.Generator, timesteps: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return noise and timesteps, on the CPU."""
        e = randn((count, *self.latents.shape[1:]), noise)
        return e, self.model.objective.sample_timesteps(count, timesteps)

    def parts(
        self, e: torch.Tensor, t: torch.Tensor
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor, float]]:
        """Yield noise and timesteps in chunks of what fits at once, with their share of all."""
        size, device = self.model.plan.micro_batch, self.latents.device
        for e_part, t_part in zip(torch.split(e, size), torch.split(t, size), strict=True):
            yield e_part.to(device), t_part.to(device), len(t_part) / len(t)

    def loss(self, e: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return the mean squared error of the model's prediction at given noise and timesteps.

        Source: Kawar et al. 2022, arXiv 2210.09276, equation 2.
        """
        objective = self.model.objective
        x_0 = self.latents.expand(len(t), *self.latents.shape[1:])
        x_t = objective.add_noise(x_0, e, t)
        predicted = self.model.predict(x_t, t, self.conditioning.repeat(len(t)))
        return torch.nn.functional.mse_loss(predicted, objective.target(x_0, e, t))

    @torch.no_grad()
    def bank_loss(self, seed: int) -> float:
        """Return the loss on a fixed set of noises and timesteps."""
        bank = self.draw(_BANK, generator(seed, "bank noise"), generator(seed, "bank timesteps"))
        return sum(self.loss(e, t).item() * share for e, t, share in self.parts(*bank))

    @torch.no_grad()
    def preview(self, seed: int) -> Image.Image | None:
        """Return the input as the model now draws it, or None where memory is too short.

        It begins with so much noise that little more than the layout is left of the input. A few
        denoising steps cost less than one optimiser step, whose backward pass alone is twice a
        prediction for every sample.
        """
        model, scheduler = self.model, self.model.scheduler("ddim")
        if model.plan.offload_denoiser:
            return None
        scheduler.set_timesteps(_PREVIEW_STEPS, device=model.plan.device)
        timesteps = scheduler.timesteps[_PREVIEW_STEPS // 4 :]
        noise = randn(tuple(self.latents.shape), generator(seed, "preview noise"))
        x_t = scheduler.add_noise(self.latents, noise.to(self.latents.device), timesteps[:1])
        try:
            for t in timesteps:
                predicted = model.predict(x_t, t.expand(1), self.conditioning)
                x_t = scheduler.step(predicted, t, x_t, return_dict=False)[0]
            return to_images(model.decode(x_t))[0]
        except torch.OutOfMemoryError:
            return None

    def accumulate(
        self,
        e: torch.Tensor,
        t: torch.Tensor,
        optimiser: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
    ) -> float:
        """Set the gradient of one step, whatever it was before, and return the mean loss."""
        total = 0.0
        optimiser.zero_grad(set_to_none=True)
        for e_part, t_part, share in self.parts(e, t):
            loss = self.loss(e_part, t_part) * share
            scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        return total


@torch.inference_mode(mode=False)
@torch.enable_grad()
def fit(
    model: LatentModel,
    plan: MemoryPlan,
    latents: torch.Tensor,
    anchor: Conditioning,
    settings: FitSettings,
    on_progress: OnProgress,
) -> Fitted:
    """Fit one image.

    Args:
        model: The base model; it is unchanged afterwards, however the fit ends.
        plan: Where the work is done.
        latents: Latents of the image, shape (1, C, h, w), float32.
        anchor: Where the embedding starts: the conditioning of a caption, batch 1.
        settings: How to fit.
        on_progress: Called after every step; a StopFit raised in it ends the fit and keeps what
            was learned.

    Raises:
        FitError: When the loss or the gradient is not finite, or the fit makes things worse.
    """
    task = _task(model, plan, latents, anchor)
    denoiser, joint = model.denoiser, settings.mode == "joint"
    with ExitStack() as levers:
        stage = _Stage(task, settings, [], on_progress, levers)
        stage.pull()
        try:
            initial = stage.bank_loss()
            embedding = task.conditioning.tensors()
            finished = joint or stage.run("fit embedding", embedding, [], initial)
            lora_seed = generator(settings.seed, "lora")
            lora.inject(denoiser, model.traits.lora_targets, settings.rank, lora_seed)
            if finished:
                weights = lora.parameters(denoiser)
                stage.run("fit", embedding if joint else [], weights, initial)
            gap = stage.bank_loss() / initial
            conditioning = task.conditioning.map(lambda tensor: tensor.detach().cpu())
            return Fitted(lora.read(denoiser), conditioning, tuple(stage.losses), gap)
        finally:
            lora.eject(denoiser)


def _task(
    model: LatentModel, plan: MemoryPlan, latents: torch.Tensor, anchor: Conditioning
) -> _Task:
    """Return what is to be fitted, on the plan's device."""
    if model.plan != plan:
        model.replan(plan)
    anchor = anchor.to(plan.device, torch.float32)
    # A clone, since tensors made in inference mode take no part in gradients.
    return _Task(model, latents.to(plan.device).clone(), anchor.trainable())


@contextmanager
def rehearsal(
    model: LatentModel,
    plan: MemoryPlan,
    latents: torch.Tensor,
    anchor: Conditioning,
    settings: FitSettings,
) -> Iterator[Callable[[], float]]:
    """Hold all that a fit holds for the length of a block, and give what makes one optimiser step.

    One step needs as much memory as a whole fit, and as much time as any other step, so this is
    what is counted and measured. Nothing that is learned is kept.

    Args:
        model: The base model; it is unchanged afterwards.
        plan: Where the work is done.
        latents: Latents of the image, shape (1, C, h, w), float32.
        anchor: Where the embedding starts, batch 1.
        settings: How to fit.

    Yields:
        A function that makes one step and returns its mean loss.
    """
    task = _task(model, plan, latents, anchor)
    with ExitStack() as levers:
        levers.enter_context(torch.enable_grad())
        stage = _Stage(task, settings, [], ignore, levers)
        stage.pull()
        lora_seed = generator(settings.seed, "lora")
        lora.inject(model.denoiser, model.traits.lora_targets, settings.rank, lora_seed)
        levers.callback(lora.eject, model.denoiser)
        weights = lora.parameters(model.denoiser)
        optimiser = stage.optimiser(task.conditioning.tensors(), weights)
        for parameter in (*task.conditioning.tensors(), *weights):
            parameter.grad = torch.zeros_like(parameter)
        optimiser.step()
        yield partial(stage.step, stage.draws("fit"), optimiser, stage.scaler())


@dataclass(frozen=True)
class _Stage:
    """One optimisation loop after another over the same task."""

    task: _Task
    settings: FitSettings
    losses: list[float]
    on_progress: OnProgress
    levers: ExitStack

    def pull(self) -> None:
        """Hold the denoiser on the device as the model's plan says, until the fit ends."""
        model = self.task.model
        self.levers.enter_context(model.plan.denoising(model.denoiser, training=True))

    def bank_loss(self) -> float:
        """Return the loss on the bank."""
        work = partial(self.task.bank_loss, self.settings.seed)
        return relieved(self.task.model, "fit", work, self.pull)

    def run(
        self,
        phase: str,
        embedding: list[torch.Tensor],
        weights: list[torch.nn.Parameter],
        initial: float,
    ) -> bool:
        """Optimise until the steps are done or the loss is low enough; False if told to stop."""
        optimiser, scaler, draws = (
            self.optimiser(embedding, weights),
            self.scaler(),
            self.draws(phase),
        )
        steps = self.settings.steps
        device = self.task.model.plan.device
        tick = Ticker(phase, steps, self.on_progress, partial(peak_bytes, device))
        for step in range(1, steps + 1):
            loss = self.step(draws, optimiser, scaler)
            self._check(phase, step, loss)
            self.losses.append(loss)
            try:
                tick(loss, partial(self.task.preview, self.settings.seed))
            except StopFit:
                return False
            if step % _CHECK_EVERY == 0 and self._low_enough(phase, step, initial):
                break
        return True

    def step(
        self,
        draws: Iterator[tuple[torch.Tensor, torch.Tensor]],
        optimiser: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
    ) -> float:
        """Make one optimiser step and return its mean loss.

        A step whose half-precision gradient overflowed changes nothing and is made again, at a
        smaller loss scale: in a short fit every step counts.
        """
        for _ in range(_MOST_OVERFLOWS):
            work = partial(self.task.accumulate, *next(draws), optimiser, scaler)
            total = relieved(self.task.model, "fit", work, self.pull)
            scale = scaler.get_scale()
            scaler.step(optimiser)
            scaler.update()
            if scaler.get_scale() >= scale:
                return total
        raise FitError(
            "The gradient overflows half precision at every loss scale; use bfloat16 or float32 "
            "weights."
        )

    def optimiser(
        self, embedding: list[torch.Tensor], weights: list[torch.nn.Parameter]
    ) -> torch.optim.Optimizer:
        """Return Adam with learning rates scaled to the model's width."""
        scale = _REFERENCE_WIDTH / self.task.model.traits.width
        groups = [
            {"params": embedding, "lr": self.settings.embedding_lr * scale},
            {"params": weights, "lr": self.settings.lora_lr * scale},
        ]
        return torch.optim.Adam([group for group in groups if group["params"]])

    def scaler(self) -> torch.amp.GradScaler:
        """Return what keeps small gradients above zero in float16; in others it does nothing."""
        plan = self.task.model.plan
        half = plan.dtype == torch.float16
        return torch.amp.GradScaler(plan.device.type, init_scale=2.0**12, enabled=half)

    def draws(self, phase: str) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield the samples of one optimiser step after another."""
        noise = generator(self.settings.seed, f"{phase} noise")
        timesteps = generator(self.settings.seed, f"{phase} timesteps")
        while True:
            yield self.task.draw(self.settings.batch, noise, timesteps)

    def _check(self, phase: str, step: int, loss: float) -> None:
        """Raise a FitError for a loss that is no number."""
        if not math.isfinite(loss):
            raise FitError(
                f"The loss became {loss} at step {step} of the phase {phase!r}; try half the "
                "learning rates, or bfloat16 or float32 weights."
            )

    def _low_enough(self, phase: str, step: int, initial: float) -> bool:
        """Return whether the bank's loss has come down as far as asked; raise if it went up."""
        share = self.bank_loss() / initial
        if not share < 2:
            raise FitError(
                f"The fit made the loss {share:.1f} times what it was, by step {step} of the phase "
                f"{phase!r}; try half the learning rates."
            )
        return share <= self.settings.stop_at
