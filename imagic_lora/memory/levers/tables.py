"""Tables of words that stay in host memory: of hundreds of thousands of rows a prompt needs a few."""

from typing import Any

import torch
from torch import nn

from imagic_lora.memory.levers.host import host_memory, to_device


def keep_tables(module: nn.Module) -> None:
    """Look up the embeddings of a module in host memory, for good; results are the same.

    Args:
        module: A frozen module, on the CPU or on the device.
    """
    kept: dict[torch.Tensor, torch.Tensor] = {}  # some tables are two layers' at once
    for layer in module.modules():
        if type(layer) is nn.Embedding:
            table = layer.weight
            del layer.weight
            layer.__class__ = _Table
            if table not in kept:
                with host_memory():
                    kept[table] = table.detach().to("cpu")
            # No parameter: `to` leaves it where it is.
            vars(layer)["weight"] = kept[table]


class _Table(nn.Embedding):
    """An embedding whose rows come from host memory."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the rows on the device of their numbers, shape (..., width)."""
        with host_memory():
            rows = super().forward(input.to("cpu"))
        return to_device(rows, input.device)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:  # noqa: FBT001
        """Save the table as if it were a parameter still."""
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[f"{prefix}weight"] = self.weight
