"""Models of transformers beside the base model, from the disk alone."""

from os import PathLike
from typing import Any

from imagic_lora.models.parts.quiet import quiet

NOT_INSTALLED = (OSError, ValueError, KeyError)
"""What transformers raises where a model is not there, is a pickle, or is of another kind."""


def load_installed(kind: str, name: str | PathLike[str]) -> tuple[Any, Any]:
    """Return a model's processor and the model; nothing is downloaded, and pickles are not read.

    Args:
        kind: Name of the class of transformers that loads the model.
        name: A folder, or the Hub name of one that was downloaded before.
    """
    import transformers  # noqa: PLC0415  heavy

    with quiet():
        processor = transformers.AutoProcessor.from_pretrained(name, local_files_only=True)
        model = getattr(transformers, kind).from_pretrained(
            name, local_files_only=True, use_safetensors=True
        )
    return processor, model.eval()
