"""Asking a model in this process: any of transformers that reads pictures and text.

Knows nothing of what is asked.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from imagic_lora.bench.judging.asking import Content
from imagic_lora.bench.metrics.base import device
from imagic_lora.errors import JudgeError, ModelError

_MOST_TOKENS = 1024


@dataclass(frozen=True)
class Local:
    """A vision-language model, loaded when it is first asked.

    Attributes:
        model: A name on the Hub, or a folder: weights, and a processor with a chat template.
    """

    model: str

    @torch.no_grad()
    def ask(self, content: Content) -> str:
        """Return the answer as it is: of each token, the most likely one.

        Args:
            content: What is asked.

        Raises:
            ModelError: When the model cannot be loaded.
            JudgeError: When it is too large for the device.
        """
        parts = [
            {"type": "text", "text": one}
            if isinstance(one, str)
            else {"type": "image", "image": one}
            for one in content
        ]
        network, processor = self._loaded
        given = processor.apply_chat_template(
            [{"role": "user", "content": parts}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        ).to(network.device, network.dtype)
        try:
            tokens = network.generate(**given, do_sample=False, max_new_tokens=_MOST_TOKENS)
        except torch.OutOfMemoryError as error:
            raise JudgeError(
                f"The judge '{self.model}' needs more memory than {network.device} has left; take a "
                "smaller one by --judge-model, or give the address of a server by --judge."
            ) from error
        said: str = processor.decode(
            tokens[0, given["input_ids"].shape[1] :], skip_special_tokens=True
        )
        return said

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """The model and its processor; weights are read from safetensors alone."""
        from transformers import (  # noqa: PLC0415  # seconds, for a judge alone
            AutoModelForImageTextToText,
            AutoProcessor,
        )

        try:
            processor = AutoProcessor.from_pretrained(self.model)
            network = AutoModelForImageTextToText.from_pretrained(
                self.model, dtype="auto", use_safetensors=True
            )
        except (ImportError, OSError, ValueError) as error:
            reason = " ".join(str(error).split()).rstrip(".")
            raise ModelError(
                f"The judge '{self.model}' cannot be loaded ({reason}); give a folder or a Hub name of "
                "a vision-language model by --judge-model, or the address of a server by --judge."
            ) from error
        return network.eval().to(device()), processor
