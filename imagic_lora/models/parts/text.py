"""A tokenizer and a text encoder: from a prompt to hidden states, in chunks where it is long."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from imagic_lora.errors import SettingsError, quoted, warn

MOST_CHUNKS = 4
"""Chunks in which a long prompt is read at most; each makes adapters larger."""

_SYNTAX = {
    "a weight": re.compile(r"\([^()]*:\s*\d*\.?\d+\s*\)|\(\([^()]+\)\)|\)(?:\+\+|--|\d\.\d)"),
    "a break between parts": re.compile(r"\bBREAK\b"),
    "a LoRA to load": re.compile(r"<(?:lora|lyco|hypernet):[^<>]*>"),
    "a learned word": re.compile(r"\bembedding:\S+|<[\w-]+>"),
    "a change on the way": re.compile(r"\[[^\[\]]*:[^\[\]]*\]"),
    "a choice": re.compile(r"\{[^{}]*\|[^{}]*\}"),
}
"""What parts of prompts mean to other tools, by how they are written."""


@dataclass(frozen=True)
class TextEncoder:
    """One CLIP text encoder with its tokenizer.

    Attributes:
        tokenizer: A transformers CLIPTokenizer.
        module: A transformers CLIPTextModel, with or without a projection.
        noted: What was said already of other tools' syntax, which is said once.
    """

    tokenizer: Any
    module: Any
    noted: set[str] = field(default_factory=set)

    @property
    def width(self) -> int:
        """Width of the hidden states."""
        return int(self.module.config.hidden_size)

    @property
    def length(self) -> int:
        """Tokens of a chunk; a tokenizer that states none has a huge number."""
        most = int(self.module.config.max_position_embeddings)
        return min(int(self.tokenizer.model_max_length), most)

    def encode(self, prompt: str, device: torch.device) -> list[Any]:
        """Return the encoder's output for each chunk of a prompt, with all hidden states, batch 1.

        A prompt that is longer than the encoder is cut into chunks, each with a start and an end
        of its own, and the denoiser is shown them side by side. One after another, since together
        they would take memory that no plan has counted.
        """
        self._note_syntax(prompt)
        # Made here: the tokenizer would take memory that runs out for a mistake of ours.
        chunks = (torch.tensor([ids], device=device) for ids in self._chunks(prompt))
        return [self.module(ids, output_hidden_states=True) for ids in chunks]

    def _note_syntax(self, prompt: str) -> None:
        """Say once of each kind that what other tools take for more is plain text here."""
        for meaning, pattern in _SYNTAX.items():
            found = pattern.search(prompt)
            if found and meaning not in self.noted:
                self.noted.add(meaning)
                warn(
                    f"the prompt has {quoted(found[0])}, which is {meaning} to other tools, and "
                    "plain text here."
                )

    def _chunks(self, prompt: str) -> Iterator[list[int]]:
        """Yield padded token ids, chunk by chunk; warn about what does not fit."""
        length = self.length
        whole = self.tokenizer(prompt, truncation=False, verbose=False).input_ids
        if len(whole) <= length:
            yield self.tokenizer(prompt, padding="max_length", max_length=length).input_ids
            return
        start, *words, end = whole
        room = length - 2
        self._note_the_lost(words, MOST_CHUNKS * room)
        for first in range(0, min(len(words), MOST_CHUNKS * room), room):
            ids = [start, *words[first : first + room], end]
            yield ids + [self.tokenizer.pad_token_id] * (length - len(ids))

    def _note_the_lost(self, words: list[int], most: int) -> None:
        """Say which of the tokens of a prompt, those of its start and end aside, are not read."""
        if len(words) > most:
            lost = self.tokenizer.decode(words[most:]).strip()
            warn(
                f"The prompt has {len(words)} tokens and the model reads {most}; it does not see "
                f"the end: {quoted(lost)}."
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
