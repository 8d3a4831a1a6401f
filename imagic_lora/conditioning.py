"""What the text encoders hand the denoiser, and the arithmetic that edits need of it.

A Conditioning holds exactly the tensors that a fit may move and alpha interpolates. It knows
nothing of prompts or of models.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter

import torch


@dataclass(frozen=True, eq=False)
class Conditioning:
    """Token embeddings and, for some families, a pooled embedding.

    Attributes:
        tokens: Token embeddings, shape (B, tokens, width).
        pooled: Pooled embedding, shape (B, pooled width), or None.
    """

    tokens: torch.Tensor
    pooled: torch.Tensor | None = None

    def tensors(self) -> list[torch.Tensor]:
        """Return the tensors that are there: one or two."""
        return [self.tokens] if self.pooled is None else [self.tokens, self.pooled]

    def map(self, function: Callable[[torch.Tensor], torch.Tensor]) -> "Conditioning":
        """Return a Conditioning with a function applied to each tensor."""
        pooled = None if self.pooled is None else function(self.pooled)
        return Conditioning(function(self.tokens), pooled)

    def to(self, device: torch.device | str, dtype: torch.dtype) -> "Conditioning":
        """Return it on a device, in a dtype."""
        return self.map(lambda tensor: tensor.to(device, dtype))

    def trainable(self) -> "Conditioning":
        """Return a float32 copy whose tensors are leaves that take gradients."""
        return self.map(lambda tensor: tensor.detach().float().clone().requires_grad_())

    def repeat(self, count: int) -> "Conditioning":
        """Return it repeated along the batch, without copying: shape (count, ...) from (1, ...)."""
        return self.map(lambda tensor: tensor.expand(count, *tensor.shape[1:]))

    def rows(self) -> list["Conditioning"]:
        """Return each row of the batch alone, as views."""
        return [self.map(itemgetter(slice(row, row + 1))) for row in range(len(self.tokens))]

    def equal(self, other: "Conditioning") -> bool:
        """Return whether both hold the same tensors, bit for bit."""
        ours, theirs = self.tensors(), other.tensors()
        return len(ours) == len(theirs) and all(map(torch.equal, ours, theirs))


def interpolate(
    start: Conditioning, end: Conditioning, alpha: float | torch.Tensor
) -> Conditioning:
    """Return (1 - alpha) start + alpha end, exact at 0 and at 1.

    Args:
        start: Conditioning at alpha 0.
        end: Conditioning at alpha 1, of the same shape.
        alpha: Any real number, or one for each row, shape (B,); outside 0 to 1 the line is
            extended.

    Source: Kawar et al. 2022, arXiv 2210.09276, equation 3 (there: eta).
    """
    weight = torch.as_tensor(alpha, dtype=start.tokens.dtype, device=start.tokens.device)
    tokens = torch.lerp(start.tokens, end.tokens, weight.view(-1, 1, 1))
    if start.pooled is None or end.pooled is None:
        return Conditioning(tokens)
    return Conditioning(tokens, torch.lerp(start.pooled, end.pooled, weight.view(-1, 1)))


def concatenate(parts: Sequence[Conditioning]) -> Conditioning:
    """Return the parts one after the other along the batch."""
    tokens = torch.cat([part.tokens for part in parts])
    pooled = [part.pooled for part in parts if part.pooled is not None]
    return Conditioning(tokens, torch.cat(pooled) if pooled else None)
