"""A resumable training loop: the one place that knows optimisers, averages and checkpoints.

Randomness is drawn per step from (seed, stage, step), so a run that was killed
and resumed sees the same batches and noise as one that was not.

On a CPU each batch is split in two, one thread for each part. Threads then meet
once per step instead of once per operation, which costs far less, above all
when another program wants a core.
"""

import dataclasses
import math
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor, nn

StepLoss = Callable[[torch.Generator, int], Tensor]
"""The mean loss of a part of a batch, given its random numbers and its size."""

CHECKPOINT_SECONDS = 90.0
REPORT_STEPS = 100
CPU_SHARDS = 2


@dataclasses.dataclass(frozen=True)
class Stage:
    """How one part is trained.

    Attributes:
        name: Names the checkpoint and the random numbers.
        steps: Optimiser steps in all.
        batch: Pictures per step.
        rate: Peak learning rate.
        decay_from: Share of the steps after which the rate falls, along a cosine, to zero.
        average: Decay of the weights' moving average.
    """

    name: str
    steps: int
    batch: int
    rate: float
    decay_from: float = 0.4
    average: float = 0.999
    seconds: float = math.inf
    """Most time of one run: the schedule is hurried so that it ends by then."""


def learning_rate(stage: Stage, step: int, elapsed: float = 0.0, warmup: int = 100) -> float:
    """Linear warm-up, a plateau, then a cosine to zero."""
    done = min(1.0, max(step / stage.steps, elapsed / stage.seconds))
    if done > stage.decay_from:
        through = (done - stage.decay_from) / (1 - stage.decay_from)
        return stage.rate * 0.5 * (1 + math.cos(math.pi * through))
    return stage.rate * min(1.0, (step + 1) / warmup)


def step_generator(stage: Stage, seed: int, step: int, shard: int) -> torch.Generator:
    """Random numbers that belong to one part of one step alone."""
    key = zlib.crc32(f"{stage.name}/{seed}/{step}/{shard}".encode())
    return torch.Generator().manual_seed(key)


def noise_like(tensor: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal noise of a tensor's shape, made where the tensor is."""
    if tensor.device.type == "cpu":
        return torch.randn(tensor.shape, generator=generator)
    key = int(torch.randint(2**31, (1,), generator=generator))
    there = torch.Generator(tensor.device).manual_seed(key)
    return torch.randn(tensor.shape, generator=there, device=tensor.device)


def trained(module: nn.Module) -> list[nn.Parameter]:
    """The parameters of a module that are not frozen."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


class Average:
    """Exponential moving average of a module's parameters, with a warm start."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._live = trained(module)
        self.shadow = [parameter.detach().clone() for parameter in self._live]
        self._decay = decay

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the live weights; faster in the beginning, when they are poor."""
        decay = min(self._decay, (step + 1) / (step + 10))
        torch._foreach_lerp_(self.shadow, self._live, 1 - decay)  # type: ignore[arg-type]

    @torch.no_grad()
    def copy_to(self, module: nn.Module) -> None:
        """Overwrite a module's parameters with the average."""
        for parameter, shadow in zip(trained(module), self.shadow, strict=True):
            parameter.copy_(shadow)


class Trainer:
    """Trains one module and keeps its checkpoint.

    Args:
        stage: What to do.
        module: The module with all trained parameters; left holding their moving average.
        folder: Where checkpoints go, as `<stage>.pt`.
        seed: Seed of the whole run.
        report: Receives one line of text now and then.
    """

    def __init__(
        self,
        stage: Stage,
        module: nn.Module,
        folder: Path,
        seed: int,
        report: Callable[[str], None],
    ) -> None:
        self._stage, self._module, self._seed, self._report = stage, module, seed, report
        self._path = folder / f"{stage.name}.pt"
        self._parameters = trained(module)
        on_cpu = self._parameters[0].device.type == "cpu"
        self._range = range(CPU_SHARDS if on_cpu else 1)
        self._pool = ThreadPoolExecutor(
            len(self._range), initializer=_one_thread if on_cpu else None
        )
        self._optimizer = torch.optim.AdamW(
            self._parameters, lr=stage.rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True
        )
        self._average = Average(module, stage.average)
        self.step = 0

    @property
    def part(self) -> int:
        """Pictures of one part of a batch."""
        return self._stage.batch // len(self._range)

    def run(self, step_loss: StepLoss, until: int | None = None) -> None:
        """Train from wherever the checkpoint stands to the last step, or until an earlier one."""
        self.resume()
        last = self._stage.steps if until is None else until
        started, first, saved = time.monotonic(), self.step, time.monotonic()
        recent = torch.zeros(())
        while self.step < last and (elapsed := time.monotonic() - started) < self._stage.seconds:
            loss = self._advance(step_loss, elapsed)
            recent = torch.lerp(recent.to(loss), loss, max(0.01, 1 / (self.step - first)))
            if self.step % REPORT_STEPS == 0:
                pace = (time.monotonic() - started) / (self.step - first)
                self._report(self._line(float(recent), pace))
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                self.save()
                saved = time.monotonic()
        self.save()
        self._average.copy_to(self._module)

    def resume(self) -> None:
        """Take up the checkpoint, if there is one."""
        if not self._path.exists():
            return
        state = torch.load(self._path, map_location="cpu", weights_only=True)
        self.step = state["step"]
        self._module.load_state_dict(state["module"])
        self._optimizer.load_state_dict(state["optimizer"])
        for shadow, stored in zip(self._average.shadow, state["average"], strict=True):
            shadow.copy_(stored)
        self._report(f"{self._stage.name}: resumed at step {self.step}")

    def save(self) -> None:
        """Write the checkpoint so that a kill at any moment leaves a whole one."""
        state = {
            "step": self.step,
            "module": self._module.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "average": self._average.shadow,
        }
        partial = self._path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self._path)

    def copy_average(self) -> None:
        """Leave the moving average in the module, as `run` does at its end."""
        self._average.copy_to(self._module)

    def _advance(self, step_loss: StepLoss, elapsed: float) -> Tensor:
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(self._stage, self.step, elapsed)
        parts = list(self._pool.map(lambda shard: self._gradients(step_loss, shard), self._range))
        for position, parameter in enumerate(self._parameters):
            parameter.grad = _mean([part[1][position] for part in parts], parameter)
        nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._optimizer.step()
        self._average.update(self.step)
        self.step += 1
        return torch.stack([loss for loss, _ in parts]).mean()

    def _gradients(self, step_loss: StepLoss, shard: int) -> tuple[Tensor, tuple[Tensor, ...]]:
        generator = step_generator(self._stage, self._seed, self.step, shard)
        loss = step_loss(generator, self.part)
        return loss.detach(), torch.autograd.grad(loss, self._parameters)

    def _line(self, loss: float, pace: float) -> str:
        left = pace * (self._stage.steps - self.step)
        return (
            f"{self._stage.name}: step {self.step}/{self._stage.steps}  loss {loss:.4f}  "
            f"{pace:.2f} s/step  {left / 60:.0f} min left"
        )


def _mean(gradients: list[Tensor], parameter: Tensor) -> Tensor:
    """Return the mean in a parameter's own layout: the fused optimiser pairs the two by memory order."""
    if len(gradients) == 1 and gradients[0].stride() == parameter.stride():
        return gradients[0]
    return torch.mean(torch.stack(gradients), dim=0, out=torch.empty_like(parameter))


TrainerOf = Callable[[nn.Module], Trainer]
"""From a module to what trains it: the stage, the folder and the seed are given."""


def in_half(device: torch.device) -> torch.autocast:
    """Compute in bfloat16 where that is quick.

    A CPU without the instructions takes ten times as long.
    """
    quick = device.type != "cpu" or torch.cpu.get_capabilities()["avx512_bf16"]
    return torch.autocast(device.type, torch.bfloat16, enabled=quick)


def _one_thread() -> None:
    torch.set_num_threads(1)
