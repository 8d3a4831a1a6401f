"""The judge: a small classifier that reads every attribute off a picture.

Only the benchmarks use it. It is trained on drawings alone, blurred, recoloured
and roughened a little, never on pictures from the model that it judges.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.world.autoencoder import to_tensor
from benchmarks.world.data import Pixels, draw_all, held_out_portraits
from benchmarks.world.loop import TrainerOf, in_half, noise_like
from benchmarks.world.portrait import ATTRIBUTES, Portrait

WEIGHTS = Path(__file__).with_name("judge.safetensors")


class Judge(nn.Module):
    """Pictures (batch, 3, 64, 64) in [-1, 1] to one row of logits per attribute."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.PixelUnshuffle(2),
            *_block(12, width),
            *_block(width, width),
            *_block(width, 2 * width, stride=2),
            *_block(2 * width, 2 * width),
            *_block(2 * width, 4 * width, stride=2),
            *_block(4 * width, 4 * width),
        )
        self.layout = nn.Sequential(*_block(4 * width, 2 * width, stride=2), nn.Flatten())
        self.neck = nn.Sequential(nn.Linear((4 + 2 * 16) * width, 256), nn.SiLU())
        self.heads = nn.ModuleDict(
            {name: nn.Linear(256, len(values)) for name, values in ATTRIBUTES.items()}
        )

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        """Logits of shape (batch, number of values), by attribute."""
        features = self.trunk(pictures)
        # What there is, wherever it is, beside where things are: a mouth and the turn of a head.
        found = torch.cat([features.amax(dim=(2, 3)), self.layout(features)], dim=1)
        hidden = self.neck(found)
        return {name: head(hidden) for name, head in self.heads.items()}


def _block(inputs: int, outputs: int, stride: int = 1) -> tuple[nn.Module, ...]:
    # Statistics of the batch, not of the picture: those would hide how light a picture is.
    convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
    return convolution, nn.BatchNorm2d(outputs), nn.SiLU()


def load_judge(path: Path = WEIGHTS) -> Judge:
    """The trained judge, ready to read pictures."""
    judge = Judge()
    judge.load_state_dict(load_file(path))
    return judge.eval().requires_grad_(False)


def save_judge(judge: Judge, path: Path) -> None:
    """Write the judge's weights in half precision."""
    state = {
        name: value.half() if value.is_floating_point() else value
        for name, value in judge.state_dict().items()
    }
    save_file({name: value.cpu().contiguous() for name, value in state.items()}, path)


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
    trainer: TrainerOf,
    report: Callable[[str], None],
) -> None:
    """Train in place on roughened drawings."""
    device = next(judge.parameters()).device
    judge.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    truth = true_attributes(portraits)

    def step_loss(generator: torch.Generator, size: int) -> Tensor:
        chosen = torch.randint(len(pictures), (size,), generator=generator)
        batch = roughen(to_tensor(pictures[np.sort(chosen.numpy())], device), generator)
        order = chosen.sort().values
        with in_half(device):
            logits = judge(batch.contiguous(memory_format=torch.channels_last))
        losses = [
            functional.cross_entropy(logits[name].float(), truth[name][order].to(device))
            for name in ATTRIBUTES
        ]
        # The norm, not the mean: it weighs the attributes that are read worst.
        norm: Tensor = torch.linalg.vector_norm(torch.stack(losses))
        return norm

    trainer(judge).run(step_loss)
    judge.eval()
    photographed = portraits[0].look is not None
    report(f"judge: {_faults(judge, held_out_portraits(1000, photographed=photographed))}")


def _faults(judge: Judge, portraits: list[Portrait]) -> str:
    """Held-out pictures that are misread, by attribute."""
    device = next(judge.parameters()).device
    read = read_attributes(judge, to_tensor(draw_all(portraits), device))
    true = true_attributes(portraits)
    wrong = {name: int((read[name] != true[name]).sum()) for name in ATTRIBUTES}
    return f"misread of {len(portraits)} held-out pictures: {wrong}"


def roughen(batch: Tensor, generator: torch.Generator) -> Tensor:
    """Imitate what models do to pictures: soft edges, small shifts of colour, noise."""
    count = len(batch)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        drawn = low + (high - low) * torch.rand(count, *shape, 1, 1, generator=generator)
        return drawn.to(batch.device)

    soft = functional.avg_pool2d(functional.pad(batch, (1, 1, 1, 1), mode="replicate"), 3, 1)
    batch = torch.lerp(batch, soft, uniform(0, 0.7, 1))
    batch = batch * uniform(0.92, 1.08, 1) + uniform(-0.06, 0.06, 3)
    return batch + uniform(0, 0.08, 1) * noise_like(batch, generator)
