"""The judge: a small classifier that reads every attribute off a picture.

Only the benchmarks use it. It is trained on drawings alone, blurred, recoloured
and roughened a little, never on pictures from the model that it judges.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.world.autoencoder import to_tensor
from benchmarks.world.loop import Stage, Trainer
from benchmarks.world.portrait import ATTRIBUTES, Portrait

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.world.data import Pixels

WEIGHTS = Path(__file__).with_name("judge.safetensors")


class Judge(nn.Module):
    """Pictures (batch, 3, 64, 64) in [-1, 1] to one row of logits per attribute."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        sizes = (width, 2 * width, 4 * width, 4 * width)
        layers: list[nn.Module] = []
        previous = 3
        for size in sizes:
            layers += [
                nn.Conv2d(previous, size, 3, stride=2, padding=1),
                nn.GroupNorm(4, size),
                nn.SiLU(),
                nn.Conv2d(size, size, 3, padding=1),
                nn.GroupNorm(4, size),
                nn.SiLU(),
            ]
            previous = size
        self.trunk = nn.Sequential(*layers)
        # No pooling: where a thing is tells turned from straight and raised from lowered.
        self.neck = nn.Sequential(nn.Flatten(), nn.Linear(previous * 16, 256), nn.SiLU())
        self.heads = nn.ModuleDict(
            {name: nn.Linear(256, len(values)) for name, values in ATTRIBUTES.items()}
        )

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        """Logits of shape (batch, number of values), by attribute."""
        features = self.neck(self.trunk(pictures))
        return {name: head(features) for name, head in self.heads.items()}


def load_judge(path: Path = WEIGHTS) -> Judge:
    """The trained judge, ready to read pictures."""
    judge = Judge()
    judge.load_state_dict({name: value.float() for name, value in load_file(path).items()})
    return judge.eval().requires_grad_(False)


def save_judge(judge: Judge, path: Path = WEIGHTS) -> None:
    """Write the judge's weights in half precision."""
    state = {name: value.half().cpu().contiguous() for name, value in judge.state_dict().items()}
    save_file(state, path)


@torch.no_grad()
def read_attributes(judge: Judge, pictures: Tensor, batch: int = 128) -> dict[str, Tensor]:
    """The most likely value's index for each picture, by attribute.

    Args:
        judge: A trained judge.
        pictures: Shape (count, 3, 64, 64), in [-1, 1].
        batch: Pictures read at once.

    Returns:
        For each attribute a tensor of shape (count,).
    """
    parts = [
        {name: logits.argmax(dim=1).cpu() for name, logits in judge(chunk).items()}
        for chunk in torch.split(pictures, batch)
    ]
    return {name: torch.cat([part[name] for part in parts]) for name in ATTRIBUTES}


def true_attributes(portraits: list[Portrait]) -> dict[str, Tensor]:
    """What a perfect judge would read, in the form of `read_attributes`."""
    table = torch.tensor([portrait.labels() for portrait in portraits])
    return {name: table[:, column] for column, name in enumerate(ATTRIBUTES)}


def train_judge(
    judge: Judge,
    pictures: Pixels,
    portraits: list[Portrait],
    stage: Stage,
    folder: Path,
    seed: int,
    report: Callable[[str], None],
) -> None:
    """Train in place on roughened drawings."""
    device = next(judge.parameters()).device
    judge.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    truth = true_attributes(portraits)

    def step_loss(generator: torch.Generator, size: int) -> Tensor:
        chosen = torch.randint(len(pictures), (size,), generator=generator)
        batch = roughen(to_tensor(pictures[np.sort(chosen.numpy())]), generator).to(device)
        order = chosen.sort().values
        with torch.autocast(device.type, torch.bfloat16):
            logits = judge(batch.contiguous(memory_format=torch.channels_last))
        losses = [
            functional.cross_entropy(logits[name].float(), truth[name][order].to(device))
            for name in ATTRIBUTES
        ]
        return torch.stack(losses).mean()

    Trainer(stage, judge, folder, seed, report).run(step_loss)
    judge.eval()


def roughen(batch: Tensor, generator: torch.Generator) -> Tensor:
    """Imitate what models do to pictures: soft edges, small shifts of colour, noise."""
    count = len(batch)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *shape, 1, 1, generator=generator)

    soft = functional.avg_pool2d(functional.pad(batch, (1, 1, 1, 1), mode="replicate"), 3, 1)
    batch = torch.lerp(batch, soft, uniform(0, 1, 1))
    batch = batch * uniform(0.9, 1.1, 1) + uniform(-0.08, 0.08, 3)
    noise = torch.randn(batch.shape, generator=generator)
    return batch + uniform(0, 0.12, 1) * noise
