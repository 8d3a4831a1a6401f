"""Base models on the Hub: which of a repository's files are needed, and fetching them.

What a repository consists of is checked before its weights are fetched, and only files that hold no
code are.
"""

import json
import re
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any

from imagic_lora.errors import HubError, ModelError, warn
from imagic_lora.hub import fetch_snapshot, listing
from imagic_lora.models.checkpoint import Checkpoint
from imagic_lora.models.family import Family
from imagic_lora.models.folder import lacking, left_out, read_index
from imagic_lora.models.forms import PLAIN, choose_form, whole_forms
from imagic_lora.models.networks import forms_of
from imagic_lora.units import gigabytes

_INDEX = "model_index.json"
_PLAIN_FILES = {".json", ".txt", ".model", ".jinja"}
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def _known() -> dict[str, Any]:
    """Return the rows of models that are known by a name."""
    rows: dict[str, Any] = json.loads(
        (files("imagic_lora.models") / "known.json").read_text("utf-8")
    )
    return rows


REPOSITORIES: dict[str, str] = {
    name: row["repository"] for name, row in _known().items() if "repository" in row
}
"""The repository of each model that is known by a name."""


def is_hub_name(name: str) -> bool:
    """Return whether this has the form of a repository's name.

    Args:
        name: The name.
    """
    return _HUB_NAME.fullmatch(name) is not None


def download(name: str) -> Path:
    """Return the folder of a pipeline, fetched from the Hub unless the cache has it.

    Half precision is taken where it is offered; a form that is whole in the cache before that.

    Args:
        name: Name of the repository.

    Raises:
        ModelError: When it is missing, incomplete or of another kind, or the Hub is out of reach.
    """
    try:
        folder = fetch_snapshot(name, [_INDEX])
        family = read_index(folder, name)
        without = left_out(folder, family)
        return _fetch(name, folder, family, [p for p in family.networks if p not in without])
    except HubError as error:
        raise ModelError(str(error)) from error


def _fetch(name: str, folder: Path, family: Family, weighty: Iterable[str]) -> Path:
    """Return a folder in the cache with all files that are needed of a repository."""
    try:
        offered = listing(name)
    except HubError:
        if not set(weighty) & set(lacking(folder, family)):
            return folder
        raise
    needed = _needed(folder, family, weighty, offered)
    missing = [file for file in needed if not (folder / file).exists()]
    if not missing:
        return folder
    size = sum(offered[file] for file in missing)
    if size > 0:
        warn(f"{gigabytes(size)} of the model {name!r} are fetched from the Hub, and kept.")
    return fetch_snapshot(name, needed)


def _needed(
    folder: Path, family: Family, weighty: Iterable[str], offered: Mapping[str, int]
) -> list[str]:
    """Return which files of a repository are needed, with weights of some of its networks."""
    parts = {*family.networks, *family.plain}
    needed = [_INDEX]
    for file in offered:
        path = PurePosixPath(file)
        if len(path.parts) == 2 and path.parts[0] in parts and path.suffix in _PLAIN_FILES:
            needed.append(file)
    for part in weighty:
        names = [file.removeprefix(f"{part}/") for file in offered if file.startswith(f"{part}/")]
        forms, cached = whole_forms(names), forms_of(folder, part)
        form = choose_form({form: cached for form in cached if form in forms}, ("fp16", PLAIN))
        form = choose_form(forms, ("fp16", PLAIN)) if form is None else form
        needed += [f"{part}/{file}" for file in forms.get(form or PLAIN, ())]
    return needed


def lend(checkpoint: Checkpoint, parts: Iterable[str]) -> Path:
    """Return a pipeline folder that lends its configuration to a checkpoint, fetched if need be.

    Args:
        checkpoint: The checkpoint.
        parts: The networks that it lacks, whose weights are needed too.

    Raises:
        ModelError: When no repository is known for it, or the Hub is out of reach.
    """
    name = REPOSITORIES.get(known_name(checkpoint))
    remedy = "give config= (--config), a pipeline folder of the same kind of model."
    lacks = ", ".join(parts)
    asked = f"The file {checkpoint.path.name!r} holds " + (
        f"no {lacks} and no configuration" if lacks else "weights only"
    )
    if name is None:
        raise ModelError(f"{asked}, and no known model is like it; {remedy}")
    try:
        folder = fetch_snapshot(name, [_INDEX])
        return _fetch(name, folder, checkpoint.family, tuple(parts))
    except HubError as error:
        reason = str(error).rstrip(".")
        raise ModelError(
            f"{asked}; the rest would come from {name!r}: {reason}, or {remedy}"
        ) from error


def known_name(checkpoint: Checkpoint) -> str:
    """Return the name of the known model that a checkpoint is like, or "".

    Args:
        checkpoint: The checkpoint.
    """
    family = checkpoint.family
    for name, row in _known().items():
        width = row["networks"].get(family.denoiser, {}).get(family.prompts[0])
        if row["family"] == family.name and width == checkpoint.prompt_width:
            return name
    return ""
