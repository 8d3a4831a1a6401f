"""The plan for a model on a device of this machine."""

from pathlib import Path

from imagic_lora.errors import DeviceError
from imagic_lora.memory import (
    MemoryPlan,
)
from imagic_lora.memory.device import free_bytes, total_bytes
from imagic_lora.memory.levers.attention import check_attention
from imagic_lora.models.blueprint import find_blueprint
from imagic_lora.planning.counted import count_ladder, known_footprint
from imagic_lora.settings import Attention
from imagic_lora.units import gigabytes, parse_size


def choose(
    model: str | Path,
    memory: MemoryPlan | str | int,
    device: str | None,
    attention: Attention = "auto",
) -> MemoryPlan:
    """Return the plan for a model on a device of this machine.

    Args:
        model: What is about to be loaded.
        memory: "auto" (what the device has free), a size such as "8GB", bytes, or a plan.
        device: A torch device; default: a GPU where there is one.
        attention: Kernel of the denoiser's attention.

    Raises:
        SettingsError: When the memory is no size, or there is no such attention.
        DeviceError: When the device is missing, has less than that, is too small, or cannot run
            that attention.
        MissingExtraError: When the attention is a package's that is not installed.
    """
    if isinstance(memory, MemoryPlan):
        check_attention(memory.attention, memory.device)
        return memory
    base = MemoryPlan.automatic(device, attention)
    check_attention(attention, base.device)
    if memory == "auto":
        known = known_footprint(find_blueprint(model))
        if known is None:
            return base
        return MemoryPlan.for_budget(free_bytes(base.device), known, base)
    budget = parse_size(memory)
    if budget > total_bytes(base.device):
        raise DeviceError(
            f"{gigabytes(budget)} of memory were asked for, and the device {str(base.device)!r} "
            f"has {gigabytes(total_bytes(base.device))}; ask for less, or for 'auto'."
        )
    blueprint = find_blueprint(model)
    # What is counted is half precision.
    found = known_footprint(blueprint) or count_ladder(blueprint, 2 * budget // base.dtype.itemsize)
    return MemoryPlan.for_budget(budget, found, base)
