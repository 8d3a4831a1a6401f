"""A tokenizer and a text encoder: from a prompt to hidden states."""

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
        """Tokens of the longest prompt; a tokenizer that states none has a huge number."""
        most = int(self.module.config.max_position_embeddings)
        return min(int(self.tokenizer.model_max_length), most)

    def encode(self, prompt: str, device: torch.device) -> Any:
        """Return the encoder's output for a prompt, with all hidden states, batch 1."""
        self._note_syntax(prompt)
        ids = self._token_ids(prompt).to(device)
        return self.module(ids, output_hidden_states=True)

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
