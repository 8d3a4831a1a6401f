"""From a Hub name, a pipeline folder or one checkpoint file to a LatentModel.

Weights are only ever read from safetensors files: a pickle can run code.
"""

from importlib import import_module
from pathlib import Path

from imagic_lora.memory import MemoryPlan
from imagic_lora.models.base import LatentModel, Traits
from imagic_lora.models.source import Source, resolve

__all__ = ["LatentModel", "Traits", "families", "load_model"]

_CLASSES = {
    "sd": ("stable_diffusion", "StableDiffusion"),
    "sdxl": ("stable_diffusion_xl", "StableDiffusionXL"),
}


def families() -> dict[str, str]:
    """Return the name of each family, with what it is in one sentence."""
    modules = {name: f"imagic_lora.models.{module}" for name, (module, _) in _CLASSES.items()}
    return {
        name: (import_module(module).__doc__ or "").partition("\n")[0]
        for name, module in modules.items()
    }


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
    """
    found: Source = resolve(source, config)
    module, name = _CLASSES[found.family]
    model_class = getattr(import_module(f"imagic_lora.models.{module}"), name)
    model: LatentModel = model_class(found.load(plan.dtype), found.name, plan)
    return model
