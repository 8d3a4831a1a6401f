"""A table of positions that is kept in host memory: of hundreds of megabytes a canvas needs a crop."""

from typing import Any

import torch
from diffusers.models.embeddings import PatchEmbed

from imagic_lora.memory.levers.host import host_memory, to_device


def keep_positions(patches: Any) -> None:
    """Take the table of positions of a transformer off the device, for good; results are the same.

    Stable Diffusion 3.5 medium has room for canvases of 6144 pixels, and at 1024 uses a 36th of it.

    Args:
        patches: A PatchEmbed of diffusers that crops a table, on the CPU or on the device.
    """
    table = dict(patches.named_buffers(recurse=False)).get("pos_embed")
    if table is None or table.is_meta:  # kept already, or only to be looked at
        return
    del patches.pos_embed
    patches.__class__ = _Patches
    with host_memory():
        # No buffer: `to` leaves it where it is.
        patches.pos_embed = table.to("cpu")


class _Patches(PatchEmbed):  # type: ignore[misc]  # diffusers states no types
    """A PatchEmbed whose table of positions lies in host memory."""

    def cropped_pos_embed(self, height: int, width: int) -> torch.Tensor:
        """Return the positions of a canvas on the device, shape (1, patches, width).

        Args:
            height: Of the latents.
            width: Of the latents.
        """
        with host_memory():
            crop = super().cropped_pos_embed(height, width)
        return to_device(crop, self.proj.weight.device)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:  # noqa: FBT001
        """Save the table as if it were a buffer still."""
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[f"{prefix}pos_embed"] = self.pos_embed
