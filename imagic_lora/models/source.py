"""Where a base model comes from, and how its parts are read from there.

Everything that can be known to be wrong is found before a weight is read.
"""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from imagic_lora.errors import HubError, ModelError, near_match, quoted
from imagic_lora.hub import fetch_snapshot
from imagic_lora.models.families import FAMILIES, TOO_LARGE
from imagic_lora.models.family import Family
from imagic_lora.models.parts.quiet import quiet

_LOAD_ERRORS = (  # what the loaders raise on damaged folders, found by damaging them
    ImportError,
    KeyError,
    OSError,
    RuntimeError,
    SafetensorError,
    TypeError,
    ValueError,
)
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Source:
    """A base model that was found and looks complete.

    Attributes:
        name: How to refer to it: a Hub name, or the bare name of a folder or file.
        family: Kind of model.
        path: Pipeline folder or checkpoint file.
        config: Pipeline folder with the configuration of a checkpoint file.
        schedule: What a checkpoint file says of its noise schedule, by diffusers' names.
    """

    name: str
    family: Family
    path: Path
    config: Path | None = None
    schedule: Mapping[str, Any] = field(default_factory=dict)

    def load(self, dtype: torch.dtype) -> Any:
        """Return the diffusers pipeline on the CPU, frozen.

        Args:
            dtype: Precision of the weights; an autoencoder that says so stays in float32.

        Raises:
            ModelError: When a part cannot be read.
        """
        exact = dict.fromkeys(self.family.float32, torch.float32)
        try:
            with quiet():
                if self.path.is_file():
                    pipeline = self._load_file(dtype)
                    for name, precision in exact.items():
                        getattr(pipeline, name).to(precision)
                else:
                    pipeline = self._load_folder({"default": dtype, **exact})
        except _LOAD_ERRORS as error:
            if self.path.is_file() and self.config is None:
                raise ModelError(
                    f"The file {self.name!r} holds weights only, and its configuration cannot be "
                    "fetched from the Hub; give config= (--config), a pipeline folder of the same "
                    "kind of model."
                ) from error
            reason = str(error).strip().partition("\n")[0]
            raise ModelError(f"The model {self.name!r} cannot be read: {reason}") from error
        for name in self.family.networks:
            network = getattr(pipeline, name)
            network.requires_grad_(requires_grad=False).eval()
        return pipeline

    @property
    def _pipeline_class(self) -> Any:
        return getattr(import_module("diffusers"), self.family.pipelines[0])

    @property
    def _extra(self) -> dict[str, Any]:
        """What a pipeline is made with besides its own parts."""
        unused = dict.fromkeys(self.family.unused)
        return {**unused, **self.family.settings}

    def _load_file(self, dtype: torch.dtype) -> Any:
        """Return the pipeline of a single checkpoint."""
        pipeline = self._pipeline_class.from_single_file(
            str(self.path),
            config=None if self.config is None else str(self.config),
            dtype=dtype,
            local_files_only=self.config is not None,
            **self._extra,
        )
        if self.schedule:
            config = {**pipeline.scheduler.config, **self.schedule}
            scheduler_class = import_module("diffusers").DDIMScheduler
            pipeline.scheduler = scheduler_class.from_config(config)
        return pipeline

    def _load_folder(self, dtypes: dict[str, torch.dtype]) -> Any:
        """Return the pipeline of a folder."""
        return self._pipeline_class.from_pretrained(
            self.path,
            use_safetensors=True,
            variant=self._variant(),
            dtype=dtypes,
            local_files_only=True,
            **self._extra,
        )

    def _variant(self) -> str | None:
        """Return "fp16" when that is the only form the weights come in."""
        names = [path.name for path in (self.path / self.family.denoiser).glob("*.safetensors")]
        return "fp16" if all(".fp16" in name for name in names) else None


def resolve(source: str | Path, config: Path | None) -> Source:
    """Find a base model and check that it is whole.

    Args:
        source: "demo", a Hub name, a pipeline folder, or a .safetensors file.
        config: For a file: a pipeline folder to take the configuration from.

    Raises:
        ModelError: When it is missing, incomplete, or of an unsupported kind.
    """
    if source == "demo":
        return _from_folder(Path(str(files("imagic_lora") / "demo" / "model")), "demo")
    path = Path(source)
    with suppress(OSError):  # a name longer than any path is none
        if path.is_dir():
            return _from_folder(path, path.resolve().name)
        if path.is_file():
            return _from_file(path, config)
    if isinstance(source, str) and _HUB_NAME.fullmatch(source):
        return _from_folder(_download(source), source)
    raise ModelError(
        f"There is no model {quoted(str(source))}: it is neither a folder nor a file here, nor a "
        f"Hub name of the form owner/name, nor 'demo'.{near_match(str(source), ['demo'])}"
    )


def _from_folder(folder: Path, name: str) -> Source:
    """Return the Source of a pipeline folder, checked for missing and for unknown parts."""
    family = _read_index(folder, name)
    _check_parts(folder, name, family)
    return Source(name, family, folder)


def _read_index(folder: Path, name: str) -> Family:
    """Return the family that a folder's model_index.json tells of, all its parts being known."""
    try:
        index = dict(json.loads((folder / "model_index.json").read_text("utf-8")))
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
        raise ModelError(
            f"The model {name!r} is a {class_name}; supported are {', '.join(by_class)}."
        )
    for part, found in index.items():
        if isinstance(found, list) and found != [None, None]:
            _check_class(by_class[class_name], name, part, found)
    return by_class[class_name]


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


def _check_parts(folder: Path, name: str, family: Family) -> None:
    """Raise a ModelError that names every part missing from a pipeline folder."""
    missing = [part for part in family.networks if not any((folder / part).glob("*.safetensors"))]
    missing += [part for part in family.plain if not any((folder / part).glob("*.json"))]
    if missing:
        raise ModelError(
            f"The model {name!r} lacks {', '.join(missing)}; weights must be .safetensors files "
            "(pickles are never loaded)."
        )


def _from_file(path: Path, config: Path | None) -> Source:
    """Return the Source of one checkpoint file, its family told from its tensors' names."""
    try:
        with safe_open(path, framework="pt") as checkpoint:
            keys, header = list(checkpoint.keys()), checkpoint.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"The file {path.name!r} is not a readable .safetensors checkpoint ({error}); other "
            "formats can run code and are never loaded."
        ) from error
    family = _family_of_checkpoint(keys)
    if family is None:
        raise ModelError(
            f"The file {path.name!r} is no checkpoint of a model that is supported: its tensors are "
            f"those of none of {', '.join(FAMILIES)}."
        )
    if config is not None:
        _check_config(config, family)
    return Source(path.name, family, path, config, _schedule(keys, header))


def _schedule(keys: list[str], header: Mapping[str, str]) -> dict[str, Any]:
    """Return what a checkpoint says of its noise schedule: by empty tensors, or in its header.

    Source: the keys that ComfyUI and A1111 read; https://github.com/Stability-AI/ModelSpec.
    """
    found: dict[str, Any] = {}
    if "v_pred" in keys or header.get("modelspec.prediction_type", "").startswith("v"):
        found["prediction_type"] = "v_prediction"
    if "ztsnr" in keys:
        found |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    return found


def _family_of_checkpoint(keys: list[str]) -> Family | None:
    """Return the family whose marks a checkpoint has; the one with the most, where several fit."""
    marked = [
        family
        for family in FAMILIES.values()
        if family.checkpoint_keys
        and all(any(key.startswith(mark) for key in keys) for mark in family.checkpoint_keys)
    ]
    return max(marked, key=lambda family: len(family.checkpoint_keys), default=None)


def _check_config(config: Path, family: Family) -> None:
    """Raise a ModelError unless a folder can lend its configuration to models of a family."""
    found = _read_index(config, config.name)
    if found is not family:
        raise ModelError(
            f"The configuration folder {config.name!r} is for a {found.pipelines[0]}, and the "
            f"checkpoint needs one for a {family.pipelines[0]}."
        )


def _download(name: str) -> Path:
    """Fetch a pipeline from the Hub, in half precision where it is offered; cached files serve.

    What it consists of is checked before the weights are fetched, and only files that hold no code
    are. Out of the Hub's reach, whatever form is whole in the cache will do.
    """
    try:
        family = _read_index(fetch_snapshot(name, ["model_index.json"]), name)
        for variant in (".fp16", ""):
            with suppress(HubError):
                folder = fetch_snapshot(name, _patterns(family, variant))
                if all(any((folder / part).glob("*.safetensors")) for part in family.networks):
                    return folder
        return fetch_snapshot(name, _patterns(family, ""))
    except HubError as error:
        raise ModelError(str(error)) from error


def _patterns(family: Family, variant: str) -> list[str]:
    """Return which files of a repository are needed, with weights of one variant."""
    parts = (*family.networks, *family.plain)
    plain = [f"{part}/*.{ending}" for part in parts for ending in ("json", "txt", "model", "jinja")]
    weights = [
        f"{part}/{stem}{ending}.safetensors"
        for part in family.networks
        for stem in ("diffusion_pytorch_model", "model")
        for ending in (variant, f"{variant}-*-of-*", f"-*-of-*{variant}")
    ]
    return ["model_index.json", *plain, *weights]
