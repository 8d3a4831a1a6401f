"""Where each part of a model lives while it works: every switch that trades memory is in here."""

from imagic_lora.memory.device import peak_bytes
from imagic_lora.memory.plan import MemoryPlan

__all__ = ["MemoryPlan", "peak_bytes"]
