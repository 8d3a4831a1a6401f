"""A language model that reads a prompt as a message of a chat: Qwen3, and its hidden states.

Of the model only the layers are kept whose hidden states are asked for.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from imagic_lora.errors import quoted, warn
from imagic_lora.models.parts.text import note_syntax

_MOST = 512
"""Tokens that are read, as by the plain pipelines."""


def stem(language_model: Any, depth: int) -> Any:
    """Return a language model's layers up to a depth, without what would predict words.

    Args:
        language_model: A transformers Qwen3Model or Qwen3ForCausalLM; it is cut off for good.
        depth: How many layers are kept; the hidden states of the last are as they are, not normed.
    """
    module = getattr(language_model, "model", language_model)
    module.layers = module.layers[:depth]
    module.norm = nn.Identity()
    return module


@dataclass(frozen=True)
class ChatReader:
    """A language model with its tokenizer.

    Attributes:
        tokenizer: A transformers Qwen2Tokenizer with a chat template.
        module: What `stem` returns.
        states: Which hidden states are taken, 0 being what enters the first layer.
        thinking: Whether the template leaves room for thoughts.
        filled: Whether every prompt is filled up to the most tokens.
        noted: What was said already of other tools' syntax, which is said once.
    """

    tokenizer: Any
    module: Any
    states: tuple[int, ...]
    thinking: bool
    filled: bool
    noted: set[str] = field(default_factory=set)

    @property
    def length(self) -> int:
        """Tokens of the longest prompt."""
        return min(int(self.tokenizer.model_max_length), _MOST)

    @property
    def width(self) -> int:
        """Width of what is read: the hidden states side by side."""
        return len(self.states) * int(self.module.config.hidden_size)

    def encode(self, prompt: str, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """Return hidden states, shape (1, tokens, width), and which tokens are the prompt's own.

        Args:
            prompt: The prompt.
            device: Where the language model is.
        """
        note_syntax(prompt, self.noted)
        ids, own = self._token_ids(prompt)
        output = self.module(
            input_ids=ids.to(device),
            attention_mask=own.long().to(device),
            output_hidden_states=True,
            use_cache=False,
        )
        read = torch.cat([output.hidden_states[state] for state in self.states], dim=-1)
        return read.float(), own.to(device)

    def _token_ids(self, prompt: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Return token ids and which are the prompt's own, both (1, tokens); say what is cut."""
        text = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=self.thinking,
        )
        # Of what the template puts behind the prompt, nothing need be said.
        asked = text[: text.rfind(prompt) + len(prompt)]
        whole = self.tokenizer(asked, verbose=False).input_ids
        if len(whole) > self.length:
            lost = self.tokenizer.decode(whole[self.length :]).strip()
            warn(
                f"The prompt has {len(whole)} tokens and the model reads {self.length}; it does not "
                f"see the end: {quoted(lost)}."
            )
        found = self.tokenizer(
            text,
            padding="max_length" if self.filled else False,
            max_length=self.length,
            truncation=True,
        )
        # Made here: the tokenizer would take memory that runs out for a mistake of ours.
        return torch.tensor([found.input_ids]), torch.tensor([found.attention_mask]).bool()
