"""A tokenizer and a CLIP or T5 text encoder: from a prompt to hidden states."""

import re
from collections.abc import Iterator
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

CHUNKS = 4
"""Chunks in which long prompts are read at most; each makes adapters larger."""

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
        chunks: Most chunks in which a longer prompt is read, each with a start and an end of its
            own; 1 cuts it.
        noted: What was said already of other tools' syntax, which is said once.
    """

    tokenizer: Any
    module: Any
    most: int | None = None
    chunks: int = 1
    noted: set[str] = field(default_factory=set)

    @property
    def width(self) -> int:
        """Width of the hidden states."""
        return int(self.module.config.hidden_size)

    @property
    def length(self) -> int:
        """Tokens of the longest prompt, or of a chunk; a tokenizer that states none has a huge number."""
        most = self.module.config.max_position_embeddings if self.most is None else self.most
        return min(int(self.tokenizer.model_max_length), int(most))

    def encode(self, prompt: str, device: torch.device) -> list[Any]:
        """Return the encoder's output for each chunk of a prompt, with all hidden states, batch 1.

        One after another, since together they would take memory that no plan has counted.
        """
        note_syntax(prompt, self.noted)
        # Made here: the tokenizer would take memory that runs out for a mistake of ours.
        chunks = (torch.tensor([ids], device=device) for ids in self._token_ids(prompt))
        return [self.module(ids, output_hidden_states=True) for ids in chunks]

    def own(self, prompt: str) -> torch.Tensor:
        """Return which of a prompt's tokens are its own and fill nothing up, shape (1, tokens)."""
        length = self.length
        found = self.tokenizer(prompt, truncation=True, max_length=length, verbose=False)
        return torch.arange(length)[None] < torch.as_tensor(found.input_ids).numel()

    def _token_ids(self, prompt: str) -> Iterator[list[int]]:
        """Yield padded token ids, chunk by chunk; warn about what does not fit."""
        length = self.length
        whole = self.tokenizer(prompt, truncation=False, verbose=False).input_ids
        if len(whole) > length:
            self._note_the_lost(whole)
        if len(whole) <= length or self.chunks == 1:
            yield self.tokenizer(
                prompt, padding="max_length", max_length=length, truncation=True
            ).input_ids
            return
        (start, *words, end), room = whole, length - 2
        for first in range(0, min(len(words), self.chunks * room), room):
            ids = [start, *words[first : first + room], end]
            yield ids + [self.tokenizer.pad_token_id] * (length - len(ids))

    def _note_the_lost(self, whole: list[int]) -> None:
        """Say which end of a prompt is beyond what is read, if any."""
        # Some places are taken by tokens that mark the start and the end; the end is one.
        marks = self.tokenizer.num_special_tokens_to_add()
        count, most = len(whole) - marks, self.chunks * (self.length - marks)
        if count > most:
            lost = self.tokenizer.decode(whole[most + marks - 1 : -1]).strip()
            warn(
                f"The prompt has {count} tokens and the model reads {most}; it does not see the end: "
                f"{quoted(lost)}."
            )


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
