"""Samplers by name, made from a model's own noise schedule."""

from importlib import import_module
from typing import Any

from imagic_lora.objective import Objective
from imagic_lora.settings import SchedulerName

_CLASSES: dict[SchedulerName, tuple[str, dict[str, Any]]] = {
    "ddim": ("DDIMScheduler", {}),
    "dpm++": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++"}),
    "euler": ("EulerDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}),
    "unipc": ("UniPCMultistepScheduler", {}),
}


def make_scheduler(name: SchedulerName, own: Any) -> Any:
    """Return a fresh diffusers scheduler.

    Args:
        name: A name from the settings; "model" is the model's own.
        own: The scheduler that came with the model.
    """
    if name == "model":
        return type(own).from_config(own.config)
    class_name, changes = _CLASSES[name]
    scheduler_class = getattr(import_module("diffusers"), class_name)
    return scheduler_class.from_config(own.config, **changes)


def read_objective(own: Any) -> Objective:
    """Return the objective that a model's own scheduler was trained with."""
    return Objective(own.alphas_cumprod.float().clone(), own.config.prediction_type)
