"""A tokenizer and a CLIP or T5 text encoder: from a prompt to hidden states."""

import re
from dataclasses import dataclass, field
from typing import Any

import torch

from imagic_lora.errors import SettingsError, quoted, warn

_SYNTAX = {
    "a weight": re.compile(r"\([^()]*:\s*\d*\.?\d+\s*\)|\(\([^()]+\)\)|\)(?:\+\+|--|\d\.\d)"),
    "a break between parts": re.compile(r"\bBREAK\b"),
    "a LoRA to load": re.compile(r"<(?:lora|lyco|hypernet):[^<>]*>"),
    "a learned word": re.compile(r"\bembedding:\S+|<[\w-]+>"),
    "a change on the way": re.compile(r"\[[^\[\]]*:[^\[\]]*\]"),
    "a choice": re.compile(r"\{[^{}]*\|[^{}]*\}"),
}
"""What parts of prompts mean to other tools, by how they are written."""

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


def note_syntax(prompt: str, noted: set[str]) -> None:
    """Say once of each kind that what other tools take for more is plain text here.

    Args:
        prompt: The prompt.
        noted: What was said already; what is said now is added.
    """
    for meaning, pattern in _SYNTAX.items():
        found = pattern.search(prompt)
        if found and meaning not in noted:
            noted.add(meaning)
            warn(
                f"the prompt has {quoted(found[0])}, which is {meaning} to other tools, and plain "
                "text here."
            )


@dataclass(frozen=True)
class TextEncoder:
    """One CLIP or T5 text encoder with its tokenizer.

    Attributes:
        tokenizer: A transformers CLIPTokenizer or T5Tokenizer.
        module: A transformers CLIPTextModel, with or without a projection, or a T5EncoderModel.
        most: Most tokens that it is asked to read; None is as many as it has places for.
        noted: What was said already of other tools' syntax, which is said once.
    """

    tokenizer: Any
    module: Any
    most: int | None = None
    noted: set[str] = field(default_factory=set)

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
        note_syntax(prompt, self.noted)
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
                f"it does not see the end: {quoted(lost)}."
            )
        padded = self.tokenizer(prompt, padding="max_length", max_length=length, truncation=True)
        # Made here: the tokenizer would take memory that runs out for a mistake of ours.
        return torch.tensor([padded.input_ids])


def leave_out(module: Any, count: int) -> None:
    """Leave out layers at the end of a text encoder; its last norm stays.

    Args:
        module: A transformers CLIPTextModel, with or without a projection.
        count: How many.

    Raises:
        SettingsError: When it has no more layers than that.
    """
    layers = getattr(module, "text_model", module).encoder.layers
    if count >= len(layers):
        raise SettingsError(
            f"clip_skip was {count}, and a text encoder has {len(layers)} layers; leave out fewer."
        )
    del layers[len(layers) - count :]
    module.config.num_hidden_layers = len(layers)
