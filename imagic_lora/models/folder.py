"""What a pipeline folder says that it holds, checked before a weight is read.

Only classes that are known are ever made, so that no code which comes with a model can run.
"""

import json
from pathlib import Path
from typing import Any

from imagic_lora.errors import ModelError, quoted
from imagic_lora.models.checkpoint import Checkpoint
from imagic_lora.models.families import FAMILIES, TOO_LARGE
from imagic_lora.models.family import Family
from imagic_lora.models.foreign import CLASSES
from imagic_lora.models.networks import forms_of

_NOTHING = [None, None]
"""What an index says of a part that a pipeline is made without."""


def read_index(folder: Path, name: str) -> Family:
    """Return the family that a folder's model_index.json tells of, all its parts being known.

    Args:
        folder: The pipeline folder.
        name: What to call the model.

    Raises:
        ModelError: When there is none, it tells of anything unknown, or the folder holds what is not
            to be read.
    """
    stated = folder / "model_index.json"
    try:
        index = dict(json.loads(stated.read_text("utf-8") if stated.is_file() else ""))
        class_name = str(index["_class_name"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"The folder of the model {name!r} has no readable model_index.json; a pipeline folder "
            "as diffusers' save_pretrained writes it is needed."
        ) from error
    if class_name in TOO_LARGE:
        raise ModelError(f"The model {name!r} is {TOO_LARGE[class_name]}.")
    by_class = {each: family for family in FAMILIES.values() for each in family.pipelines}
    if class_name not in by_class:
        what = next((f", {said}" for word, said in CLASSES.items() if word in class_name), "")
        raise ModelError(
            f"The model {name!r} is a {class_name}{what}; supported are {', '.join(by_class)}."
        )
    family = by_class[class_name]
    _check_whole(family, name, index)
    for part, found in index.items():
        if isinstance(found, list) and found != _NOTHING:
            _check_class(family, name, part, found)
    _refuse_code(folder, name)
    _refuse_special(folder, name)
    return family


def _refuse_special(folder: Path, name: str) -> None:
    """Raise for a folder with what may never end when it is read."""
    for path in folder.rglob("*"):
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise ModelError(
                f"The model {name!r} holds {quoted(path.name)}, a pipe or a device; take that away, "
                "or use another model."
            )


def _refuse_code(folder: Path, name: str) -> None:
    """Raise for a folder that brings code, whatever would have become of that."""
    for code in folder.rglob("*.py"):
        raise ModelError(
            f"The model {name!r} brings code of its own ({quoted(code.name)}), which is never run; "
            "take that away, or use another model."
        )


def _check_whole(family: Family, name: str, index: dict[str, Any]) -> None:
    """Raise for a pipeline that leaves out a network which it needs."""
    without = [
        part
        for part in family.networks
        if part not in family.optional and index.get(part) == _NOTHING
    ]
    if without == ["text_encoder"]:
        raise ModelError(
            f"The model {name!r} is made without text_encoder, as the refiner of Stable Diffusion "
            "XL is; use the base model."
        )
    if without:
        needed = [part for part in family.networks if part not in family.optional]
        raise ModelError(
            f"The model {name!r} is made without {', '.join(without)}; use one that has all of "
            f"{', '.join(needed)}."
        )


def _check_class(family: Family, name: str, part: str, found: list[Any]) -> None:
    """Raise a ModelError unless a part is of a class that it may be of.

    Any other class may bring code of its own, and none is ever run that comes with a model.
    """
    known = {**family.networks, **family.plain, **family.unused}.get(part, ())
    if ".".join(map(str, found)) not in known:
        raise ModelError(
            f"The model {name!r} has a part {part!r} of the class {'.'.join(map(str, found))!r}; "
            f"supported there is {', '.join(known) or 'none'}."
        )


def lacking(folder: Path, family: Family) -> list[str]:
    """Return which parts are missing from a pipeline folder.

    Args:
        folder: The pipeline folder.
        family: Kind of model.
    """
    without = left_out(folder, family)
    weightless = {family.optional[part] for part in without}
    missing = [
        part for part in family.networks if part not in without and not forms_of(folder, part)
    ]
    return missing + [
        part
        for part in family.plain
        if part not in weightless and not any((folder / part).glob("*.json"))
    ]


def left_out(folder: Path, family: Family) -> tuple[str, ...]:
    """Return which networks a pipeline folder is made without, of those that may be missing.

    Args:
        folder: The pipeline folder, whose index was read.
        family: Kind of model.
    """
    index = json.loads((folder / "model_index.json").read_text("utf-8"))
    return tuple(part for part in family.optional if index.get(part) == _NOTHING)


def check_parts(folder: Path, name: str, family: Family) -> None:
    """Raise a ModelError that names every part missing from a pipeline folder.

    Args:
        folder: The pipeline folder.
        name: What to call the model.
        family: Kind of model.

    Raises:
        ModelError: When there is any.
    """
    missing = lacking(folder, family)
    if missing:
        raise ModelError(
            f"The model {name!r} lacks {', '.join(missing)}; weights must be whole .safetensors "
            "files (pickles are never loaded)."
        )


def check_config(config: Path, checkpoint: Checkpoint) -> None:
    """Raise a ModelError unless a folder can lend its configuration to a checkpoint.

    Args:
        config: The pipeline folder.
        checkpoint: The checkpoint.

    Raises:
        ModelError: When it is for another family, or prompts of another width.
    """
    found, family = read_index(config, config.name), checkpoint.family
    if found is not family:
        raise ModelError(
            f"The configuration folder {config.name!r} is for a {found.pipelines[0]}, and the "
            f"checkpoint needs one for a {family.pipelines[0]}."
        )
    try:
        stated = json.loads((config / family.denoiser / "config.json").read_text("utf-8"))
        width = stated.get(family.prompts[0], checkpoint.prompt_width)
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(
            f"The configuration folder {config.name!r} has no readable config.json of its "
            f"{family.denoiser}; give a whole pipeline folder."
        ) from error
    if checkpoint.prompt_width not in (None, width):
        raise ModelError(
            f"The configuration folder {config.name!r} is for a model whose prompts are {width} "
            f"numbers wide, and those of the checkpoint {checkpoint.path.name!r} are "
            f"{checkpoint.prompt_width}; give one of the same kind of model."
        )
