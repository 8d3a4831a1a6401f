"""The adapters as pictures to choose from, wherever they are shown."""

from collections.abc import Sequence
from typing import Any

import gradio
from PIL import Image

from imagic_lora.ui.library import Entry


def adapter_gallery(label: str, name: str, height: int | str) -> Any:
    """Return a place for adapters.

    Args:
        label: What to write above it.
        name: Its identifier.
        height: Its height, in pixels, or "auto".
    """
    return gradio.Gallery(
        label=label,
        columns=4,
        fit_columns=False,
        height=height,
        allow_preview=False,
        interactive=False,
        buttons=[],
        object_fit="cover",
        elem_id=name,
        elem_classes=["picture", "thumbnails"],
    )


def filled(entries: Sequence[Entry], chosen: str) -> Any:
    """Return the place with its adapters, one of them chosen; it is hidden where there is none."""
    names = [entry.name for entry in entries]
    pictures = [(entry.thumbnail or _blank(), entry.name) for entry in entries]
    index = names.index(chosen) if chosen in names else None
    return gradio.Gallery(pictures, selected_index=index, visible=bool(pictures))


def name_of(picked: gradio.SelectData) -> str:
    """Return the name of the adapter that was clicked."""
    return str(picked.value["caption"])


def _blank() -> Image.Image:
    """Return what stands for an adapter without a thumbnail."""
    return Image.new("RGB", (64, 64), "#b9b6ae")
