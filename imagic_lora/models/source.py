"""Where a base model comes from, and how its parts are read from there.

Everything that can be known to be wrong is found before a weight is read.
"""

import json
import re
from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from safetensors import SafetensorError, safe_open

from imagic_lora.errors import ModelError, near_match
from imagic_lora.models.families import FAMILIES, Family
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
    """

    name: str
    family: Family
    path: Path
    config: Path | None = None

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
            network.to(exact.get(name, dtype)).requires_grad_(requires_grad=False).eval()
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
        return self._pipeline_class.from_single_file(
            str(self.path),
            config=None if self.config is None else str(self.config),
            dtype=dtype,
            local_files_only=self.config is not None,
            **self._extra,
        )

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
    if path.is_dir():
        return _from_folder(path, path.resolve().name)
    if path.is_file():
        return _from_file(path, config)
    if isinstance(source, str) and _HUB_NAME.fullmatch(source):
        return _from_folder(_download(source), source)
    raise ModelError(
        f"There is no model {str(source)!r}: it is neither a folder nor a file here, nor a Hub "
        f"name of the form owner/name, nor 'demo'.{near_match(str(source), ['demo'])}"
    )


def _from_folder(folder: Path, name: str) -> Source:
    """Return the Source of a pipeline folder, checked for missing parts."""
    index = folder / "model_index.json"
    try:
        class_name = json.loads(index.read_text("utf-8"))["_class_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"The folder of the model {name!r} has no readable model_index.json; a pipeline folder "
            "as diffusers' save_pretrained writes it is needed."
        ) from error
    family = _family(str(class_name), name)
    _check_parts(folder, name, family)
    return Source(name, family, folder)


def _family(class_name: str, name: str) -> Family:
    """Return the family that a pipeline class belongs to."""
    by_class = {each: family for family in FAMILIES.values() for each in family.pipelines}
    if class_name not in by_class:
        raise ModelError(
            f"The model {name!r} is a {class_name}; supported are {', '.join(by_class)}."
        )
    return by_class[class_name]


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
            keys = list(checkpoint.keys())
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
        _from_folder_config(config)
    return Source(path.name, family, path, config)


def _family_of_checkpoint(keys: list[str]) -> Family | None:
    """Return the family whose marks a checkpoint has; the one with the most, where several fit."""
    marked = [
        family
        for family in FAMILIES.values()
        if family.checkpoint_keys
        and all(any(key.startswith(mark) for key in keys) for mark in family.checkpoint_keys)
    ]
    return max(marked, key=lambda family: len(family.checkpoint_keys), default=None)


def _from_folder_config(config: Path) -> None:
    """Raise a ModelError unless a folder can lend its configuration."""
    if not (config / "model_index.json").is_file():
        raise ModelError(
            f"The configuration folder {str(config)!r} has no model_index.json; give a diffusers "
            "pipeline folder of the same kind of model."
        )


def _download(name: str) -> Path:
    """Fetch a pipeline from the Hub, in half precision where it is offered; cached files serve."""
    small = ["model_index.json", "*/config.json", "scheduler/*", "tokenizer*/*"]
    try:
        folder = Path(snapshot_download(name, allow_patterns=[*small, "*/*.fp16.safetensors"]))
        if not any((folder / "unet").glob("*.safetensors")):
            weights = ["*/model.safetensors", "*/diffusion_pytorch_model.safetensors"]
            folder = Path(snapshot_download(name, allow_patterns=[*small, *weights]))
    except RepositoryNotFoundError as error:
        raise ModelError(
            f"The Hub has no model {name!r} that you may read; check the name, or log in with "
            "'hf auth login' if it is gated."
        ) from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, OSError) as error:
        raise ModelError(
            f"The model {name!r} is not in the local cache and the Hub cannot be reached; connect "
            "to the network once, or give a pipeline folder."
        ) from error
    return folder
