"""Text-guided editing of one image: fit a small adapter once, edit at any strength.

The public names are imported when they are first used, so that `import imagic_lora` is quick and
loads no torch.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imagic_lora.adapters.adapter import Adapter
    from imagic_lora.adapters.exporting import export_lora
    from imagic_lora.captions.likelihood import Pull
    from imagic_lora.editing.alphas import AlphaSearch
    from imagic_lora.editing.edits import Edits
    from imagic_lora.editing.picture import Edit, Variation
    from imagic_lora.editing.request import EditRequest
    from imagic_lora.editing.sheets import Labelled, save_sheet
    from imagic_lora.editing.spacing import AlphaRange
    from imagic_lora.editor import ImagicEditor
    from imagic_lora.errors import (
        AdapterError,
        AdapterFileError,
        AdapterMismatchError,
        DeviceError,
        FitError,
        HubError,
        ImageError,
        ImagicError,
        ImagicWarning,
        InputError,
        JobsError,
        MissingExtraError,
        ModelError,
        OutputError,
        PromptError,
        SamplingError,
        SettingsError,
    )
    from imagic_lora.images.canvas import Frame
    from imagic_lora.memory import MemoryPlan
    from imagic_lora.models.captioner import describe_image
    from imagic_lora.models.scorer import PictureScorer
    from imagic_lora.progress import Progress, StopFit
    from imagic_lora.runs.jobs import Jobs, read_jobs
    from imagic_lora.runs.report import RunReport
    from imagic_lora.runs.run import run
    from imagic_lora.settings import EditSettings, FitSettings, SamplingSettings, WorkerSettings

__all__ = [
    "Adapter",
    "AdapterError",
    "AdapterFileError",
    "AdapterMismatchError",
    "AlphaRange",
    "AlphaSearch",
    "DeviceError",
    "Edit",
    "EditRequest",
    "EditSettings",
    "Edits",
    "FitError",
    "FitSettings",
    "Frame",
    "HubError",
    "ImageError",
    "ImagicEditor",
    "ImagicError",
    "ImagicWarning",
    "InputError",
    "Jobs",
    "JobsError",
    "Labelled",
    "MemoryPlan",
    "MissingExtraError",
    "ModelError",
    "OutputError",
    "PictureScorer",
    "Progress",
    "PromptError",
    "Pull",
    "RunReport",
    "SamplingError",
    "SamplingSettings",
    "SettingsError",
    "StopFit",
    "Variation",
    "WorkerSettings",
    "__version__",
    "describe_image",
    "export_lora",
    "read_jobs",
    "run",
    "save_sheet",
]

__version__: str

_HOMES = {
    "Adapter": "adapters.adapter",
    "AlphaRange": "editing.spacing",
    "AlphaSearch": "editing.alphas",
    "Edit": "editing.picture",
    "EditRequest": "editing.request",
    "EditSettings": "settings",
    "Edits": "editing.edits",
    "FitSettings": "settings",
    "Frame": "images.canvas",
    "ImagicEditor": "editor",
    "Jobs": "runs.jobs",
    "Labelled": "editing.sheets",
    "MemoryPlan": "memory",
    "PictureScorer": "models.scorer",
    "Progress": "progress",
    "Pull": "captions.likelihood",
    "RunReport": "runs.report",
    "SamplingSettings": "settings",
    "StopFit": "progress",
    "Variation": "editing.picture",
    "WorkerSettings": "settings",
    "describe_image": "models.captioner",
    "export_lora": "adapters.exporting",
    "read_jobs": "runs.jobs",
    "run": "runs.run",
    "save_sheet": "editing.sheets",
}


def __getattr__(name: str) -> Any:
    """Find a public name on first use; those without a home of their own are errors."""
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    if name == "__version__":
        return version("imagic-lora")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return __all__
