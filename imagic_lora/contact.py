"""One prompt over many adapters, side by side on one sheet."""

from collections.abc import Mapping

from PIL import Image

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.editing.request import EditRequest
from imagic_lora.editor import ImagicEditor
from imagic_lora.errors import SettingsError
from imagic_lora.images.sheet import Cell, sheet
from imagic_lora.progress import OnProgress, ignore
from imagic_lora.settings import EditSettings

_COLUMNS = 5


def contact_sheet(
    editor: ImagicEditor,
    adapters: Mapping[str, Adapter],
    *,
    target: str = "",
    alpha: float = 1.0,
    batch: int = 4,
    settings: EditSettings = EditSettings(),
    on_progress: OnProgress = ignore,
) -> Image.Image:
    """Edit every adapter towards the same prompt and show the pictures on one sheet.

    Args:
        editor: The editor, over a base model that all of the adapters fit.
        adapters: The adapters by the names to write beneath their pictures.
        target: Prompt to edit towards; default: each adapter's own.
        alpha: Prompt strength: 0 reconstructs the inputs, 1 is the target prompt.
        batch: Pictures that are made at a time.
        settings: How to denoise.
        on_progress: Called after every step of every batch.

    Raises:
        SettingsError: When there is no adapter, or their canvases differ.
        PromptError: When one has no target at all.
        AdapterMismatchError: When an adapter was fitted on another kind of model.
    """
    if not adapters or batch < 1:
        raise SettingsError(
            f"A contact sheet needs at least one adapter and a batch of at least 1; it was given "
            f"{len(adapters)} and {batch}."
        )
    requests = [
        EditRequest(adapter=adapter, alpha=alpha, target=target) for adapter in adapters.values()
    ]
    cells: list[Cell] = []
    for start in range(0, len(requests), batch):
        rows = requests[start : start + batch]
        edits = editor.edit_batch(rows, settings=settings, on_progress=on_progress)
        names = list(adapters)[start : start + batch]
        cells += [Cell(edit.image, name) for edit, name in zip(edits, names, strict=True)]
    return sheet([cells[start : start + _COLUMNS] for start in range(0, len(cells), _COLUMNS)])
