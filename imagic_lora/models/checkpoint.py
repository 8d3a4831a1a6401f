"""One checkpoint file as people share them: what it is, told before a weight is read.

Owns the layouts of the makers' own code, in which such files are written whatever tool wrote them.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from imagic_lora.errors import ModelError, quoted
from imagic_lora.models.families import FAMILIES
from imagic_lora.models.family import Family
from imagic_lora.models.foreign import OTHERS, VARIANTS, recognised
from imagic_lora.models.parts.unet import check_channels
from imagic_lora.models.scaled import find_scales, is_note, read

_UNET = "model.diffusion_model."
_OF_UNETS = (
    "input_blocks.",
    "middle_block.",
    "output_blocks.",
    "time_embed.",
    "out.",
    "label_emb.",
)
_OF_TRANSFORMERS = ("joint_blocks.", "single_stream_modulation.", "cap_pad_token")
"""How a tensor's name begins where a file is a transformer alone, without its prefix."""

_CLIP = ("cond_stage_model.transformer.", "conditioner.embedders.0.transformer.")
_IN_CLIP = ("embeddings.", "encoder.", "final_layer_norm.")
_FIRST, _LAST = f"{_UNET}input_blocks.0.0.weight", f"{_UNET}out.2.weight"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint file whose header was read.

    Attributes:
        path: The file.
        names: The file's own name of each tensor, by the usual one.
        shapes: The shape of each tensor, by its usual name.
        scales: The file's own name of what a weight is multiplied by, by its own name.
        header: Texts of the header.
        family: Kind of model.
    """

    path: Path
    names: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]
    scales: Mapping[str, str]
    header: Mapping[str, str]
    family: Family

    @classmethod
    def open(cls, path: Path) -> "Checkpoint":
        """Return a file as a checkpoint.

        Raises:
            ModelError: When it cannot be read, or is no checkpoint of a family.
        """
        try:
            with safe_open(path, framework="pt") as file:
                keys = [key for key in file.keys() if not is_note(key)]  # noqa: SIM118
                shapes = {key: tuple(file.get_slice(key).get_shape()) for key in keys}
                header, scales = file.metadata() or {}, find_scales(file, path.name)
        except (OSError, SafetensorError) as error:
            raise ModelError(
                f"The file {path.name!r} is not a readable .safetensors checkpoint "
                f"({quoted(str(error))}); other formats can run code and are never loaded."
            ) from error
        names = _usual_names(shapes)
        usual = {name: shapes[own] for name, own in names.items()}
        family = _family(path.name, usual)
        if _FIRST in usual and _LAST in usual:
            check_channels(usual[_FIRST][1], usual[_LAST][0], path.name)
        return cls(path, names, usual, scales, header, family)

    def parts(self) -> tuple[str, ...]:
        """Return which of its family's networks the file has weights of."""
        return tuple(
            part
            for part, prefixes in self.family.in_file.items()
            if any(name.startswith(prefixes) for name in self.names)
        )

    @property
    def left_out(self) -> tuple[str, ...]:
        """Which networks it is made without: it brings text encoders, and not these."""
        own = self.parts()
        brings = any(part.startswith("text_encoder") for part in own)
        return tuple(part for part in self.family.optional if brings and part not in own)

    @property
    def prompt_width(self) -> int | None:
        """Width of the token embeddings that its denoiser takes, or None where it is not told."""
        _, end = self.family.prompts
        return next((s[-1] for name, s in self.shapes.items() if name.endswith(end)), None)

    def schedule(self) -> dict[str, Any]:
        """Return what it says of its noise schedule: by empty tensors, or in its header.

        Source: the keys that ComfyUI and A1111 read; https://github.com/Stability-AI/ModelSpec.
        """
        found: dict[str, Any] = {}
        said = self.header.get("modelspec.prediction_type", "")
        if "v_pred" in self.names or said.startswith("v"):
            found["prediction_type"] = "v_prediction"
        if "ztsnr" in self.names or self.header.get("ztsnr", "").lower() == "true":
            found |= ZERO_SNR
        return found

    def read(self, part: str, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        """Return the weights of a network under their usual names, as far as can be still on disk.

        A transformer's come without their prefix, as diffusers reads those of every maker.

        Args:
            part: Name of the network.
            dtype: Precision of what the file has in 8-bit floats.
        """
        prefixes = self.family.in_file[part]
        left_out = _UNET if part == "transformer" else ""
        with safe_open(self.path, framework="pt") as file:
            return {
                name.removeprefix(left_out): read(file, own, self.scales, dtype)
                for name, own in self.names.items()
                if name.startswith(prefixes)
            }


ZERO_SNR = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
"""A noise schedule that ends in noise alone, by diffusers' names."""


def checkpoints(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield which of some files are checkpoints.

    Args:
        paths: The files.
    """
    for path in paths:
        with suppress(ModelError):
            yield Checkpoint.open(path).path


def _usual_names(keys: Mapping[str, object]) -> dict[str, str]:
    """Return each tensor's own name by the one that it usually has."""
    bare = not any(key.startswith(_UNET) for key in keys)
    if bare and any(key.startswith(_OF_TRANSFORMERS) for key in keys):
        return {_UNET + key: key for key in keys}
    found = {name: key for key in keys for name in _renamed(key, bare=bare)}
    return {**found, **{key: key for key in keys if key in found}}


def _renamed(key: str, *, bare: bool) -> Iterator[str]:
    """Yield a tensor's usual name: some files lack the denoiser's prefix, or the encoder's word."""
    clip = next((prefix for prefix in _CLIP if key.startswith(prefix)), None)
    if clip and key.removeprefix(clip).startswith(_IN_CLIP):
        yield f"{clip}text_model.{key.removeprefix(clip)}"
    elif bare and key.startswith(_OF_UNETS):
        yield _UNET + key
    else:
        yield key


def _family(name: str, shapes: Mapping[str, object]) -> Family:
    """Return the family whose marks a checkpoint has; the one with the most, where several fit."""
    marked = [
        family
        for family in FAMILIES.values()
        if family.checkpoint_keys
        and all(any(key.startswith(mark) for key in shapes) for mark in family.checkpoint_keys)
    ]
    foreign = recognised(shapes, VARIANTS if marked else (*VARIANTS, *OTHERS))
    if foreign is not None:
        raise ModelError(f"The file {name!r} is {foreign.what}; use {foreign.use}.")
    if not marked:
        raise ModelError(
            f"The file {name!r} is no checkpoint of a model that is supported: its tensors are "
            f"those of none of {', '.join(FAMILIES)}."
        )
    return max(marked, key=lambda family: len(family.checkpoint_keys))
