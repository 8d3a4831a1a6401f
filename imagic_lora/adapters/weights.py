"""The names and shapes of LoRA weights: which layer each belongs to, and whether it fits.

Nothing else spells the name of such a tensor.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import nn

from imagic_lora.errors import AdapterFileError, AdapterMismatchError, quoted

_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"


@dataclass(frozen=True, eq=False)
class Pair:
    """The two matrices whose product a LoRA adds to one layer's weight.

    Attributes:
        down: Shape (rank, in), or (rank, in, k, k) for a convolution.
        up: Shape (out, rank), or (out, rank, 1, 1).
    """

    down: torch.Tensor
    up: torch.Tensor

    @property
    def rank(self) -> int:
        """The rank of the product."""
        return len(self.down)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the weight that it is added to: (out, in) or (out, in, k, k)."""
        return len(self.up), *self.down.shape[1:]


class Weights(Mapping[str, torch.Tensor]):
    """The weights of a LoRA; they cannot be changed.

    A mapping of tensors by their names, which are those of PEFT: "<path>.lora_A.weight" for what
    goes down to the rank, "<path>.lora_B.weight" for what comes up again.

    Args:
        tensors: The tensors by name; every one has a partner of the same rank.

    Raises:
        AdapterFileError: When there are none, or a partner is missing or does not match.
    """

    def __init__(self, tensors: Mapping[str, torch.Tensor]) -> None:
        self._tensors = dict(tensors)
        self._pairs = _paired(self._tensors)

    @classmethod
    def of(cls, pairs: Mapping[str, Pair]) -> "Weights":
        """Return the weights of layers.

        Args:
            pairs: The matrices by the layer's path.
        """
        tensors: dict[str, torch.Tensor] = {}
        for path, pair in pairs.items():
            tensors |= {path + _DOWN: pair.down, path + _UP: pair.up}
        return cls(tensors)

    def __getitem__(self, name: str) -> torch.Tensor:
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    @property
    def pairs(self) -> Mapping[str, Pair]:
        """The matrices of each layer by its path."""
        return MappingProxyType(self._pairs)

    @property
    def rank(self) -> int:
        """Largest rank among the layers."""
        return max(pair.rank for pair in self._pairs.values())

    def ranks(self) -> dict[str, int]:
        """Return the rank of each layer by its path."""
        return {path: pair.rank for path, pair in self._pairs.items()}

    def named(self, prefix: str) -> dict[str, torch.Tensor]:
        """Return the tensors by their names in a file.

        Args:
            prefix: What the names begin with there.
        """
        return {prefix + name: tensor for name, tensor in self._tensors.items()}

    def check_fit(self, layers: Mapping[str, nn.Module]) -> None:
        """Raise unless every pair has a layer of its shape in the denoiser.

        Args:
            layers: The denoiser's modules by their paths.

        Raises:
            AdapterMismatchError: When the denoiser has no such layer, or one of another shape.
        """
        for path, pair in self._pairs.items():
            shape = weight_shape(layers.get(path))
            if not shape:
                raise AdapterMismatchError(
                    f"The adapter changes the layer {quoted(path)}, which this model does not have; "
                    "it was fitted on a model of another shape."
                )
            if pair.shape != shape:
                raise AdapterMismatchError(
                    f"The adapter changes a layer {quoted(path)} of shape {pair.shape}, but this model's "
                    f"is {shape}; it was fitted on a model of another shape."
                )


def _paired(tensors: Mapping[str, torch.Tensor]) -> dict[str, Pair]:
    """Return the pairs that tensors make, by the layer's path."""
    if not tensors:
        raise AdapterFileError("it has no LoRA weights.")
    pairs = {}
    for name in tensors:
        path = name.removesuffix(_UP if name.endswith(_UP) else _DOWN)
        down, up = tensors.get(path + _DOWN), tensors.get(path + _UP)
        if path == name or down is None or up is None:
            raise AdapterFileError(
                f"its tensor {quoted(name)} has no partner, or is no LoRA weight."
            )
        if path not in pairs:
            _check_pair(path, down, up)
            pairs[path] = Pair(down, up)
    return pairs


def _check_pair(path: str, down: torch.Tensor, up: torch.Tensor) -> None:
    """Raise unless two matrices can be multiplied to a layer's weight."""
    inner = down.shape[2:]
    fits = down.dim() in (2, 4) and up.shape[1:] == (len(down), *(1 for _ in inner))
    if not fits or 0 in down.shape or 0 in up.shape:
        raise AdapterFileError(
            f"its tensor {quoted(path + _UP)} has the shape {tuple(up.shape)}, which does not match its "
            f"partner's, {tuple(down.shape)}."
        )


def weight_shape(layer: nn.Module | None) -> tuple[int, ...]:
    """Return the shape of a layer's weight, or () where it can have no LoRA; no weight is read."""
    if isinstance(layer, nn.Linear):
        return layer.out_features, layer.in_features
    if isinstance(layer, nn.Conv2d):
        return layer.out_channels, layer.in_channels // layer.groups, *layer.kernel_size
    return ()
