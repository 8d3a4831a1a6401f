"""Where each part of a model lives while it works: every switch that trades memory is in here."""

from imagic_lora.memory.device import device_name, peak_bytes
from imagic_lora.memory.footprint import Footprint, footprints, predict
from imagic_lora.memory.plan import MemoryPlan
from imagic_lora.memory.relief import (
    denoising,
    host_shortage_explained,
    is_shortage,
    relieved,
    unrelieved,
)

__all__ = [
    "Footprint",
    "MemoryPlan",
    "denoising",
    "device_name",
    "footprints",
    "host_shortage_explained",
    "is_shortage",
    "peak_bytes",
    "predict",
    "relieved",
    "unrelieved",
]
