"""Resident slots: where the weights of adapters are copied, one adapter for each row of a batch.

While it is held, a slot stands in for its layer's `forward`, on the instance: neither the module
tree nor a parameter shows it, and the layer may store its weight however it likes. torch.compile
notices it there, as it would not notice a forward hook. The slots themselves stay, so that another
adapter is a copy: nothing is built anew, and nothing compiled again.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from imagic_lora.adapters.weights import Pair, Weights, weight_shape


class Slots:
    """The slots of one denoiser, made when they are first needed.

    They grow to the largest rank and batch that were ever held. What is smaller uses a part of them
    that depends on its own rank alone, so that a result is the same whatever was held before.

    Args:
        denoiser: The module that adapters are switched into; frozen.
    """

    def __init__(self, denoiser: nn.Module) -> None:
        self._denoiser = denoiser
        self._layers = dict(denoiser.named_modules())
        self._slots: dict[str, _Slot] = {}
        self._held: Sequence[Weights] = ()

    @contextmanager
    def holding(self, rows: Sequence[Weights], device: torch.device) -> Iterator[None]:
        """Let each row of a batch go through its own adapter, for the length of a block.

        A batch that goes through the denoiser has these rows in this order, any number of times
        over, as guidance repeats them; one adapter alone serves batches of any size. A block inside
        of a block gives back what was held before.

        Args:
            rows: The weights of each row, at least one.
            device: Where the denoiser works.

        Raises:
            AdapterMismatchError: When the denoiser has no such layer, or one of another shape.
        """
        for weights in rows:
            weights.check_fit(self._layers)
        before = self._held
        try:
            self._hold(rows, device)
            yield
        finally:
            self._hold(before, device)

    def _hold(self, rows: Sequence[Weights], device: torch.device) -> None:
        """Copy the rows in and let the slots act; without rows, leave every layer as it was."""
        self._held = rows
        if rows:
            self._make_room(rows, device)
        for path, slot in self._slots.items():
            if rows:
                slot.fill([weights.pairs.get(path) for weights in rows])
                slot.attach()
            else:
                slot.detach()

    def _make_room(self, rows: Sequence[Weights], device: torch.device) -> None:
        """Make the slots that are missing, too small or elsewhere."""
        dtype = next(self._denoiser.parameters()).dtype
        wanted: dict[str, int] = {}
        for weights in rows:
            for path, rank in weights.ranks().items():
                wanted[path] = max(_width(rank), wanted.get(path, 0))
        for path in {**self._slots, **wanted}:
            slot = self._slots.get(path)
            had = (0, 0) if slot is None else slot.size
            size = (max(had[0], len(rows)), max(had[1], wanted.get(path, 0)))
            if slot is None or (had, slot.place) != (size, (device, dtype)):
                self._slots[path] = _Slot(self._layers[path], size, (device, dtype))


class _Slot:
    """Low-rank weights beside one linear layer or convolution, a pair of matrices for each row.

    Args:
        layer: The layer.
        size: Most rows, and the largest width of a rank.
        place: Device and dtype of the weights.
    """

    def __init__(
        self, layer: Any, size: tuple[int, int], place: tuple[torch.device, torch.dtype]
    ) -> None:
        self.size, self.place = size, place
        self._layer = layer
        self._rows, self._rank = size
        (out, *inner), (device, dtype) = weight_shape(layer), place
        self._down = torch.zeros((*size, *inner), device=device, dtype=dtype)
        self._up = torch.zeros((size[0], out, size[1]), device=device, dtype=dtype)
        self._add = self._add_convolved if isinstance(layer, nn.Conv2d) else self._add_linear

    def fill(self, pairs: Sequence[Pair | None]) -> None:
        """Copy in a pair of matrices for each row; None leaves the row to the layer alone."""
        self._rows = len(pairs)
        self._rank = max(_width(0 if pair is None else pair.rank) for pair in pairs)
        for row, pair in enumerate(pairs):
            rank = 0 if pair is None else pair.rank
            if pair is not None:
                self._down[row, :rank].copy_(pair.down)
                self._up[row, :, :rank].copy_(pair.up.flatten(1))
            self._down[row, rank : self._rank].zero_()
            self._up[row, :, rank : self._rank].zero_()

    def attach(self) -> None:
        """Stand in for the layer's forward."""
        self._layer.forward = self._forward

    def detach(self) -> None:
        """Leave the layer as it was."""
        self._layer.__dict__.pop("forward", None)

    def _forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's output with the low-rank term of each row added."""
        # By its type, since memory levers change that while a slot is held.
        result: torch.Tensor = type(self._layer).forward(self._layer, x)
        return self._add(x, result)

    def _add_linear(self, x: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
        down = self._down[: self._rows, : self._rank].mT
        up = self._up[: self._rows, :, : self._rank].mT
        # In place: at the widest layer the result is the largest tensor of a sampling step.
        if self._rows == 1:  # the same for a batch of any size, in a third of the calls
            result.view(-1, result.shape[-1]).addmm_(x.flatten(0, -2) @ down[0], up[0])
            return result
        low_rank = x.reshape(-1, self._rows, x[0].numel() // x.shape[-1], x.shape[-1]) @ down
        by_row = up.repeat(len(low_rank), 1, 1)
        result.view(len(by_row), -1, result.shape[-1]).baddbmm_(low_rank.flatten(0, 1), by_row)
        return result

    def _add_convolved(self, x: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
        # The rows of a repetition go through side by side, as groups of channels.
        layer, rows = self._layer, self._rows
        side_by_side = x.reshape(-1, rows * x.shape[1], *x.shape[2:])
        down = self._down[:rows, : self._rank].flatten(0, 1)
        up = self._up[:rows, :, : self._rank].flatten(0, 1)[..., None, None]
        low_rank = functional.conv2d(
            side_by_side, down, None, layer.stride, layer.padding, layer.dilation, groups=rows
        )
        added = functional.conv2d(low_rank, up, groups=rows)
        return result.add_(added.reshape(result.shape))


def _width(rank: int) -> int:
    """Return the columns that a rank is worked on in, the rest zeros.

    Few widths serve all ranks, since a compiled denoiser is compiled once for each.
    """
    return max(4, 1 << max(0, rank - 1).bit_length())
