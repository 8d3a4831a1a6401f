"""A tokenizer and a CLIP or T5 text encoder: from a prompt to hidden states."""

from dataclasses import dataclass
from typing import Any

import torch

from imagic_lora.errors import warn

_MOST_BYTES = 2_000_000
"""Most bytes of an embedding in an adapter, where it may be larger than the LoRA beside it."""


def movable(own: torch.Tensor, width: int) -> torch.Tensor:
    """Return which tokens a fit moves: the prompt's own, as many as an adapter has room for.

    Args:
        own: Which tokens are the prompt's own, boolean, shape (B, tokens).
        width: Width of a token embedding.
    """
    room = _MOST_BYTES // (torch.float16.itemsize * width)
    return own & (own.cumsum(dim=1) <= room)


@dataclass(frozen=True)
class TextEncoder:
    """One CLIP or T5 text encoder with its tokenizer.

    Attributes:
        tokenizer: A transformers CLIPTokenizer or T5Tokenizer.
        module: A transformers CLIPTextModel, with or without a projection, or a T5EncoderModel.
        most: Most tokens that it is asked to read; None is as many as it has places for.
    """

    tokenizer: Any
    module: Any
    most: int | None = None

    @property
    def width(self) -> int:
        """Width of the hidden states."""
        return int(self.module.config.hidden_size)

    @property
    def length(self) -> int:
        """Tokens of the longest prompt; a tokenizer that states none has a huge number."""
        most = self.module.config.max_position_embeddings if self.most is None else self.most
        return min(int(self.tokenizer.model_max_length), int(most))

    def encode(self, prompt: str, device: torch.device) -> Any:
        """Return the encoder's output for a prompt, with all hidden states, batch 1."""
        ids = self._token_ids(prompt).to(device)
        return self.module(ids, output_hidden_states=True)

    def own(self, prompt: str) -> torch.Tensor:
        """Return which of a prompt's tokens are its own and fill nothing up, shape (1, tokens)."""
        length = self.length
        found = self.tokenizer(prompt, truncation=True, max_length=length, verbose=False)
        return torch.arange(length)[None] < torch.as_tensor(found.input_ids).numel()

    def _token_ids(self, prompt: str) -> torch.Tensor:
        """Return padded token ids, shape (1, tokens); warn about what does not fit."""
        length = self.length
        whole = self.tokenizer(prompt, truncation=False, verbose=False).input_ids
        if len(whole) > length:
            # Some places are taken by tokens that mark the start and the end; the end is one.
            marks = self.tokenizer.num_special_tokens_to_add()
            lost = self.tokenizer.decode(whole[length - 1 : -1]).strip()
            warn(
                f"The prompt has {len(whole) - marks} tokens and the model reads {length - marks}; "
                f"it does not see the end: {lost!r}."
            )
        padded = self.tokenizer(
            prompt, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        )
        ids: torch.Tensor = padded.input_ids
        return ids
