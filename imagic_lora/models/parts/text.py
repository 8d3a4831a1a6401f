"""A tokenizer and a text encoder: from a prompt to hidden states."""

from dataclasses import dataclass
from typing import Any

import torch

from imagic_lora.errors import quoted, warn


@dataclass(frozen=True)
class TextEncoder:
    """One CLIP text encoder with its tokenizer.

    Attributes:
        tokenizer: A transformers CLIPTokenizer.
        module: A transformers CLIPTextModel, with or without a projection.
    """

    tokenizer: Any
    module: Any

    @property
    def width(self) -> int:
        """Width of the hidden states."""
        return int(self.module.config.hidden_size)

    @property
    def length(self) -> int:
        """Tokens of the longest prompt; a tokenizer that states none has a huge number."""
        most = int(self.module.config.max_position_embeddings)
        return min(int(self.tokenizer.model_max_length), most)

    def encode(self, prompt: str, device: torch.device) -> Any:
        """Return the encoder's output for a prompt, with all hidden states, batch 1."""
        ids = self._token_ids(prompt).to(device)
        return self.module(ids, output_hidden_states=True)

    def _token_ids(self, prompt: str) -> torch.Tensor:
        """Return padded token ids, shape (1, tokens); warn about what does not fit."""
        length = self.length
        whole = self.tokenizer(prompt, truncation=False, verbose=False).input_ids
        if len(whole) > length:
            # Two places are taken by the start and end tokens.
            lost = self.tokenizer.decode(whole[length - 1 : -1]).strip()
            warn(
                f"The prompt has {len(whole) - 2} tokens and the model reads {length - 2}; "
                f"it does not see the end: {quoted(lost)}."
            )
        padded = self.tokenizer(
            prompt, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        )
        ids: torch.Tensor = padded.input_ids
        return ids
