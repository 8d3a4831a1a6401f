"""From a Hub name, a pipeline folder or one checkpoint file to a LatentModel.

Weights are only ever read from safetensors files: a pickle can run code.
"""

from pathlib import Path

import torch

from imagic_lora.errors import DeviceError
from imagic_lora.memory import MemoryPlan
from imagic_lora.models.base import LatentModel
from imagic_lora.models.source import resolve


def load_model(source: str | Path, plan: MemoryPlan, *, config: Path | None = None) -> LatentModel:
    """Load a base model, frozen, on the CPU; the plan's device is used when work begins.

    Args:
        source: "demo", a Hub name ("owner/name"), a pipeline folder, or one .safetensors
            checkpoint.
        plan: Where the model works and in what precision.
        config: For a checkpoint file: a pipeline folder whose configuration and tokenizers are
            used, so that no network is needed.

    Raises:
        ModelError: When the model is missing, incomplete, of an unsupported kind, or cannot be
            fetched.
        DeviceError: When the plan's precision is one that the model overflows.
    """
    found = resolve(source, config)
    if found.family.overflows and plan.dtype == torch.float16:
        raise DeviceError(
            f"The model {found.name!r} was to work in float16, which it overflows; it needs a device "
            "with bfloat16 (NVIDIA's from the RTX 30 series on), or device='cpu'."
        )
    model: LatentModel = found.family.load_class()(found.load(plan.dtype), found.name, plan)
    return model
