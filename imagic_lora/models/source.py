"""Where a base model comes from, and how its parts are put together.

Everything that can be known to be wrong is found before a weight is read.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from imagic_lora.errors import ModelError, near_match, quoted, warn
from imagic_lora.models.checkpoint import ZERO_SNR, Checkpoint
from imagic_lora.models.family import Family
from imagic_lora.models.folder import check_config, check_parts, left_out, read_index
from imagic_lora.models.networks import LOAD_ERRORS, forms_of, read_checkpoint, read_folder
from imagic_lora.models.parts.quiet import quiet
from imagic_lora.models.parts.text import leave_out
from imagic_lora.models.prediction import PredictionName
from imagic_lora.models.repository import REPOSITORIES, download, is_hub_name, lend

_DEMO = "demo"
_PREDICTIONS: Mapping[PredictionName, Mapping[str, Any]] = {
    "auto": {},
    "epsilon": {"prediction_type": "epsilon"},
    "v_prediction": {"prediction_type": "v_prediction"},
    "v_prediction_zero_snr": {"prediction_type": "v_prediction", **ZERO_SNR},
    "sample": {"prediction_type": "sample"},
}


@dataclass(frozen=True)
class Source:
    """A base model that was found and looks complete.

    Attributes:
        name: How to refer to it: a Hub name, or the bare name of a folder or file.
        family: Kind of model.
        path: Pipeline folder or checkpoint file.
        checkpoint: What the header of a checkpoint file says; None for a folder.
        config: Pipeline folder with the configuration of a checkpoint file.
    """

    name: str
    family: Family
    path: Path
    checkpoint: Checkpoint | None = None
    config: Path | None = None

    def load(
        self, dtype: torch.dtype, prediction: PredictionName = "auto", clip_skip: int = 0
    ) -> Any:
        """Return the diffusers pipeline on the CPU, frozen.

        Args:
            dtype: Precision of the weights; an autoencoder that says so stays in float32.
            prediction: What the denoiser predicts; "auto" is what the model says.
            clip_skip: Layers that are left out at the end of each text encoder.

        Raises:
            ModelError: When a part cannot be read.
            SettingsError: When the text encoders have no so many layers to leave out.
        """
        folder, stated = self.path, dict[str, Any]()
        if self.checkpoint is None:
            without = left_out(folder, self.family)
        else:
            folder, without = self._configuration(self.checkpoint)
            stated = self.checkpoint.schedule()
        parts = [part for part in self.family.networks if part not in without]
        with quiet():
            networks = {part: self._network(part, folder, dtype) for part in parts}
            pipeline = self._assemble(folder, networks)
        if self.checkpoint is not None and self.config is None and not stated:
            self._note_assumed(pipeline.scheduler.config, prediction)
        if changes := {**stated, **_PREDICTIONS[prediction]}:
            pipeline.scheduler = _changed(pipeline.scheduler, changes)
        for name, network in networks.items():
            if clip_skip and name.startswith("text_encoder"):
                leave_out(network, clip_skip)
            network.requires_grad_(requires_grad=False).eval()
        return pipeline

    def _note_assumed(self, scheduler: Any, prediction: PredictionName) -> None:
        """Say what a file is taken for that does not say it, where models of its kind vary."""
        if self.family.twins:
            warn(
                f"the file {self.name!r} does not say whether it was distilled to a few steps, and "
                "is taken for the base model; where it was, give config= (--config), the pipeline "
                "folder that it belongs to."
            )
        assumed = scheduler.get("prediction_type", "epsilon")
        if prediction == "auto" and assumed != "epsilon":
            warn(
                f"the file {self.name!r} does not say what it predicts, and {assumed!r} is assumed; "
                "if pictures come out wrong, give prediction='epsilon' (--prediction)."
            )

    def _network(self, part: str, folder: Path, dtype: torch.dtype) -> Any:
        """Return a network of the checkpoint, or of a folder where that lacks it or there is none."""
        module, _, name = self.family.networks[part][0].rpartition(".")
        kind = getattr(import_module(module), name)
        exact = torch.float32 if part in self.family.float32 else dtype
        if self.checkpoint is not None and part in self.checkpoint.parts():
            return read_checkpoint(kind, self.checkpoint, folder, part, exact)
        return read_folder(kind, folder, part, exact)

    def _configuration(self, checkpoint: Checkpoint) -> tuple[Path, tuple[str, ...]]:
        """Return the folder that lends a checkpoint its configuration and the parts that it lacks.

        Returns:
            The folder, and the networks that are done without.

        Raises:
            ModelError: When there is none, or it lacks them too.
        """
        own = {*checkpoint.parts(), *checkpoint.left_out}
        config = self.config or lend(checkpoint, [p for p in self.family.networks if p not in own])
        check_config(config, checkpoint)
        without = self._left_out(checkpoint, config)
        own = {*checkpoint.parts(), *without}
        lacking = [part for part in self.family.networks if part not in own]
        missing = [part for part in lacking if not forms_of(config, part)]
        if missing:
            raise ModelError(
                f"The file {self.name!r} lacks {', '.join(missing)}, and so does the folder "
                f"{config.resolve().name!r}; give config= (--config), a pipeline folder of the "
                "same kind of model that has weights of them."
            )
        if lacking:
            warn(
                f"the file {self.name!r} has no weights of {', '.join(lacking)}; they are taken "
                f"from {config.resolve().name!r}."
            )
        return config, without

    def _left_out(self, checkpoint: Checkpoint, config: Path) -> tuple[str, ...]:
        """Return which networks are done without, and say so: as the folder is, or as the file."""
        chosen = left_out(config, self.family)
        if chosen:
            warn(
                f"the file {self.name!r} is used without {', '.join(chosen)}, as the folder "
                f"{config.resolve().name!r} is."
            )
        # What a folder in the cache happens to have is not asked for.
        spared = tuple(
            part
            for part in checkpoint.left_out
            if part not in chosen and (self.config is None or not forms_of(config, part))
        )
        if spared:
            warn(
                f"the file {self.name!r} has no weights of {', '.join(spared)} and is used without; "
                "to use it with them, give config= (--config), a pipeline folder that has them."
            )
        return chosen + spared

    def _assemble(self, folder: Path, networks: Mapping[str, Any]) -> Any:
        """Return the pipeline of networks, with tokenizers and scheduler of a folder."""
        made = getattr(import_module("diffusers"), self.family.pipelines[0])
        without = [pair for pair in self.family.optional.items() if pair[0] not in networks]
        unused = dict.fromkeys([*self.family.unused, *chain(*without)])
        try:
            return made.from_pretrained(
                str(folder), local_files_only=True, **networks, **unused, **self.family.settings
            )
        except ImportError as error:
            raise ModelError(
                f"The scheduler of the model {self.name!r} needs a package that is not installed; "
                "install it with: pip install scipy."
            ) from error
        except LOAD_ERRORS as error:
            raise ModelError(
                f"The model {self.name!r} cannot be read: its {', '.join(self.family.plain)} are "
                "damaged or not whole; fetch or save the model again."
            ) from error


def _changed(scheduler: Any, changes: Mapping[str, Any]) -> Any:
    """Return a scheduler with another schedule; of a class that knows it, where its own does not."""
    known = all(name in scheduler.config for name in changes)
    made = type(scheduler) if known else import_module("diffusers").DDIMScheduler
    return made.from_config({**scheduler.config, "_use_default_values": [], **changes})


def resolve(source: str | Path, config: Path | None) -> Source:
    """Find a base model and check that it is whole.

    Args:
        source: "demo", the name of a known model, a Hub name, a pipeline folder, or a .safetensors
            file.
        config: For a file: a pipeline folder to take the configuration from.

    Raises:
        ModelError: When it is missing, incomplete, or of an unsupported kind.
    """
    if source == _DEMO:
        return _from_folder(Path(str(files("imagic_lora") / "demo" / "model")), _DEMO)
    path = Path(source)
    with suppress(OSError):  # a name longer than any path is none
        if path.is_dir():
            return _from_folder(path, path.resolve().name)
        if path.is_file():
            return _from_file(path, config)
    name = REPOSITORIES.get(str(source), str(source))
    if is_hub_name(name):
        return _from_folder(download(name), name)
    known = [_DEMO, *REPOSITORIES]
    raise ModelError(
        f"There is no model {quoted(str(source))}: it is neither a folder nor a file here, nor a "
        f"Hub name of the form owner/name, nor one of {', '.join(map(repr, known))}."
        f"{near_match(str(source), known)}"
    )


def _from_folder(folder: Path, name: str) -> Source:
    """Return the Source of a pipeline folder, checked for missing and for unknown parts."""
    family = read_index(folder, name)
    check_parts(folder, name, family)
    return Source(name, family, folder)


def _from_file(path: Path, config: Path | None) -> Source:
    """Return the Source of one checkpoint file, its family told from its tensors' names."""
    checkpoint = Checkpoint.open(path)
    if config is not None:
        check_config(config, checkpoint)
    return Source(path.name, checkpoint.family, path, checkpoint, config)
