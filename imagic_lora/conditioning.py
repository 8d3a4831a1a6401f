"""What the text encoders hand the denoiser, and the arithmetic that edits need of it.

A Conditioning holds exactly the tensors that a fit may move and alpha interpolates, and which of
the tokens count. It knows nothing of prompts or of models.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.nn import functional


@dataclass(frozen=True, eq=False)
class Conditioning:
    """Token embeddings and, for some families, a pooled embedding.

    Attributes:
        tokens: Token embeddings, shape (B, tokens, width).
        pooled: Pooled embedding, shape (B, pooled width), or None.
        mask: Which tokens count, boolean, shape (B, tokens); None is all of them. Rows whose
            prompts have lengths of their own are filled up with tokens that do not.
        own: Which tokens a fit moves, boolean, shape (B, tokens); None is all of them. Some models
            read hundreds of tokens for every prompt, of which few are the prompt's own.
    """

    tokens: torch.Tensor
    pooled: torch.Tensor | None = None
    mask: torch.Tensor | None = None
    own: torch.Tensor | None = None

    def tensors(self) -> list[torch.Tensor]:
        """Return the embeddings that are there: one or two."""
        return [self.tokens] if self.pooled is None else [self.tokens, self.pooled]

    def map(self, function: Callable[[torch.Tensor], torch.Tensor]) -> "Conditioning":
        """Return a Conditioning with a function applied to each embedding; the masks stay."""
        pooled = None if self.pooled is None else function(self.pooled)
        return replace(self, tokens=function(self.tokens), pooled=pooled)

    def to(self, device: torch.device | str, dtype: torch.dtype) -> "Conditioning":
        """Return it on a device, in a dtype."""
        embeddings = self.map(lambda tensor: tensor.to(device, dtype))
        return replace(embeddings, **self._masks(lambda mask: mask.to(device)))

    def trainable(self) -> "Conditioning":
        """Return a float32 copy whose embeddings are leaves that take gradients.

        Tokens that a fit leaves alone get a gradient of zero, at which Adam does not move them.
        """
        leaves = self.map(lambda tensor: tensor.detach().float().clone().requires_grad_())
        if self.own is not None:
            moving = self.own.unsqueeze(-1)
            leaves.tokens.register_hook(  # type: ignore[no-untyped-call]
                lambda gradient: gradient * moving
            )
        return leaves

    def difference(self, start: "Conditioning") -> "Conditioning":
        """Return what a fit moved: of its own tokens alone, shape (1, own, width), and pooled.

        Args:
            start: Where the fit started, batch 1.
        """
        moved = [a - b.to(a) for a, b in zip(self.tensors(), start.tensors(), strict=True)]
        tokens = moved[0] if start.own is None else moved[0][:, start.own[0].to(moved[0].device)]
        return Conditioning(tokens, *moved[1:])

    def plus(self, difference: "Conditioning") -> "Conditioning":
        """Return where a fit that started here ended: the inverse of `difference`.

        Args:
            difference: What it moved, batch 1; as many tokens as here are the fit's own.
        """
        tokens, own = self.tokens.clone(), self.counted() if self.own is None else self.own
        tokens[own] += difference.tokens[0].to(tokens)
        if self.pooled is None or difference.pooled is None:
            return replace(self, tokens=tokens)
        return replace(self, tokens=tokens, pooled=self.pooled + difference.pooled.to(self.pooled))

    def repeat(self, count: int) -> "Conditioning":
        """Return its rows in order, again and again, up to `count` rows; copied only where they must.

        Args:
            count: A multiple of as many rows as it has.
        """

        def longer(tensor: torch.Tensor) -> torch.Tensor:
            if len(tensor) in (1, count):
                return tensor.expand(count, *tensor.shape[1:])
            return torch.cat([tensor] * (count // len(tensor)))

        return self._reshaped(longer)

    def select(self, rows: Sequence[int]) -> "Conditioning":
        """Return some rows of the batch, in any order, any number of times."""
        return self._reshaped(lambda tensor: tensor[list(rows)])

    def rows(self) -> list["Conditioning"]:
        """Return each row of the batch alone, without the tokens that do not count, as views."""
        return [self._row(row) for row in range(len(self.tokens))]

    def equal(self, other: "Conditioning") -> bool:
        """Return whether both hold the same tensors, bit for bit."""
        ours, theirs = ([*each.tensors(), each.counted()] for each in (self, other))
        return len(ours) == len(theirs) and all(map(torch.equal, ours, theirs))

    def padded(self, length: int) -> "Conditioning":
        """Return it filled up to a number of tokens with some that do not count.

        Args:
            length: At least as many tokens as it has.
        """
        missing = length - self.tokens.shape[1]
        if missing == 0:
            return self
        tokens = functional.pad(self.tokens, (0, 0, 0, missing))
        mask = functional.pad(self.counted(), (0, missing), value=False)
        own = None if self.own is None else functional.pad(self.own, (0, missing), value=False)
        return replace(self, tokens=tokens, mask=mask, own=own)

    def _reshaped(self, function: Callable[[torch.Tensor], torch.Tensor]) -> "Conditioning":
        """Return it with a function of the batch applied to every tensor."""
        return replace(self.map(function), **self._masks(function))

    def _masks(self, function: Callable[[torch.Tensor], torch.Tensor]) -> dict[str, Any]:
        """Return the masks by name, with a function applied to each."""
        named = {"mask": self.mask, "own": self.own}
        return {name: None if mask is None else function(mask) for name, mask in named.items()}

    def _row(self, row: int) -> "Conditioning":
        """Return one row, without the tokens at its end that do not count."""
        alone = self._reshaped(lambda tensor: tensor[row : row + 1])
        if self.mask is None:
            return alone
        length = int(self.mask[row].sum())
        own = None if alone.own is None else alone.own[:, :length]
        return replace(alone, tokens=alone.tokens[:, :length], mask=None, own=own)

    def repeated(self, length: int) -> "Conditioning":
        """Return it with its tokens again and again.

        Args:
            length: A multiple of as many tokens as it has.
        """
        times = length // self.tokens.shape[1]
        return replace(self, tokens=self.tokens.repeat(1, times, 1))

    def counted(self) -> torch.Tensor:
        """Return the mask, also where all tokens count."""
        if self.mask is not None:
            return self.mask
        return torch.ones(self.tokens.shape[:2], dtype=torch.bool, device=self.tokens.device)


def interpolate(
    start: Conditioning, end: Conditioning, alpha: float | torch.Tensor
) -> Conditioning:
    """Return (1 - alpha) start + alpha end, exact at 0 and at 1.

    Where one has more tokens, the other's are taken to go on with zeros; at 0 and at 1 the tokens
    of one alone count.

    Args:
        start: Conditioning at alpha 0.
        end: Conditioning at alpha 1, of the same widths.
        alpha: Any real number, or one for each row, shape (B,); outside 0 to 1 the line is
            extended.

    Source: Kawar et al. 2022, arXiv 2210.09276, equation 3 (there: eta).
    """
    length = max(start.tokens.shape[1], end.tokens.shape[1])
    start, end = start.padded(length), end.padded(length)
    weight = torch.as_tensor(alpha, dtype=start.tokens.dtype, device=start.tokens.device)
    tokens = torch.lerp(start.tokens, end.tokens, weight.view(-1, 1, 1))
    mask = _interpolated_mask(start, end, weight.view(-1, 1))
    if start.pooled is None or end.pooled is None:
        return Conditioning(tokens, mask=mask)
    pooled = torch.lerp(start.pooled, end.pooled, weight.view(-1, 1))
    return Conditioning(tokens, pooled, mask)


def _interpolated_mask(
    start: Conditioning, end: Conditioning, weight: torch.Tensor
) -> torch.Tensor | None:
    """Return which tokens count between two conditionings of one length."""
    if start.mask is None and end.mask is None:
        return None
    first, last = start.counted(), end.counted()
    return (first & (weight != 1)) | (last & (weight != 0))


def concatenate(parts: Sequence[Conditioning]) -> Conditioning:
    """Return the parts one after the other along the batch, filled up to the longest."""
    length = max(part.tokens.shape[1] for part in parts)
    parts = [part.padded(length) for part in parts]
    pooled = [part.pooled for part in parts if part.pooled is not None]
    masked = any(part.mask is not None for part in parts)
    own = [part.own for part in parts if part.own is not None]
    return Conditioning(
        torch.cat([part.tokens for part in parts]),
        torch.cat(pooled) if pooled else None,
        torch.cat([part.counted() for part in parts]) if masked else None,
        torch.cat(own) if len(own) == len(parts) else None,
    )


def evened(*parts: Conditioning) -> list[Conditioning]:
    """Return conditionings of which every row has as many tokens: a shorter one's, repeated.

    For denoisers that see tokens in no order: attention is a mean, which repeating leaves as it is.
    """
    masked = any(part.mask is not None for part in parts)
    if not masked and len({part.tokens.shape[1] for part in parts}) == 1:
        return list(parts)
    rows = [part.rows() for part in parts]
    length = math.lcm(*(row.tokens.shape[1] for some in rows for row in some))
    return [concatenate([row.repeated(length) for row in some]) for some in rows]
