"""Reading one network: from a pipeline folder, or out of a checkpoint file.

Whatever goes wrong is one sentence of ours, for what the loaders say is advice for programmers.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from imagic_lora.errors import ModelError
from imagic_lora.models.checkpoint import Checkpoint
from imagic_lora.models.forms import PLAIN, choose_form, whole_forms

LOAD_ERRORS = (  # what the loaders raise on damaged folders, found by damaging them
    AttributeError,
    ImportError,
    KeyError,
    OSError,
    RuntimeError,
    SafetensorError,
    TypeError,
    ValueError,
)


def read_folder(kind: Any, folder: Path, part: str, dtype: torch.dtype) -> Any:
    """Return a network of a pipeline folder, on the CPU.

    Args:
        kind: Its class.
        folder: The pipeline folder.
        part: Name of the network.
        dtype: Precision of the weights.

    Raises:
        ModelError: When its weights are damaged, not whole, or of another shape than configured.
    """
    form = choose_form(forms_of(folder, part), (PLAIN, "fp16"))
    try:
        network, found = kind.from_pretrained(
            str(folder / part),
            variant=form or None,
            use_safetensors=True,
            dtype=dtype,
            local_files_only=True,
            output_loading_info=True,
        )
    except LOAD_ERRORS as error:
        raise _unreadable(folder.resolve().name, part) from error
    if found["missing_keys"]:
        raise _unreadable(folder.resolve().name, part)
    return network


def _unreadable(name: str, part: str) -> ModelError:
    return ModelError(
        f"The part {part!r} of the model {name!r} cannot be read: its weights are damaged, not "
        f"whole, or do not fit its config.json; fetch or save the model again."
    )


def forms_of(folder: Path, part: str) -> dict[str, tuple[str, ...]]:
    """Return the forms in which a part's weights lie in a pipeline folder.

    Args:
        folder: The pipeline folder.
        part: Name of the network.
    """
    return whole_forms(path.name for path in (folder / part).glob("*.safetensors"))


def read_checkpoint(
    kind: Any, checkpoint: Checkpoint, config: Path, part: str, dtype: torch.dtype
) -> Any:
    """Return a network of a checkpoint file, on the CPU.

    Args:
        kind: Its class.
        checkpoint: The file.
        config: Pipeline folder with its configuration.
        part: Name of the network.
        dtype: Precision of the weights.

    Raises:
        ModelError: When its weights are damaged, not whole, or of another shape than configured.
    """
    unfit = ModelError(
        f"The part {part!r} of the file {checkpoint.path.name!r} is not whole, or does not fit the "
        f"configuration in {config.resolve().name!r}; give config= (--config), a pipeline folder "
        "of the same kind of model."
    )
    try:
        network = _converted(kind, checkpoint.read(part, dtype), config, part, dtype)
    except LOAD_ERRORS as error:
        raise unfit from error
    if any(tensor.is_meta for tensor in network.state_dict().values()):
        raise unfit
    return network


def _converted(
    kind: Any, weights: dict[str, torch.Tensor], config: Path, part: str, dtype: torch.dtype
) -> Any:
    """Return a network with weights in the layout of its maker's code, as diffusers reads them."""
    # Heavy: imported where something is loaded.
    from diffusers.loaders import single_file_utils  # noqa: PLC0415

    if hasattr(kind, "from_single_file"):
        return kind.from_single_file(
            weights, config=str(config), subfolder=part, torch_dtype=dtype, local_files_only=True
        )
    if single_file_utils.is_t5_in_single_file(weights):
        network = single_file_utils.create_diffusers_t5_model_from_checkpoint(
            kind, weights, part, str(config), dtype, local_files_only=True
        )
        network.set_input_embeddings(network.shared)  # most files have the table once
        return network
    return single_file_utils.create_diffusers_clip_model_from_ldm(
        kind, weights, part, str(config), dtype, local_files_only=True
    )
