"""The result of one fit: an immutable value, and one small file that needs nothing else."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from PIL import Image

from imagic_lora import hub
from imagic_lora.adapters import file as adapter_format
from imagic_lora.adapters import modelspec
from imagic_lora.adapters.card import write_card
from imagic_lora.adapters.compact import compact_weights
from imagic_lora.adapters.weights import ranks
from imagic_lora.conditioning import Conditioning
from imagic_lora.errors import AdapterFileError, SettingsError
from imagic_lora.files import write_atomic
from imagic_lora.images.png import to_png
from imagic_lora.settings import FitSettings

HUB_FILE = "adapter.safetensors"
"""Name of an adapter's file on the Hub."""

MAX_BYTES = 1 << 30
"""Largest file that is read."""

_OPTIONAL = ("levers", "relieved")
"""Fields of the record that the file leaves out when they are empty."""

_TEXTS = (
    "family",
    "base_model",
    "fingerprint",
    "prediction",
    "target",
    "source",
    "image_sha256",
)


@dataclass(frozen=True, kw_only=True)
class FitRecord:
    """What was fitted, on what, how, and how it went.

    Attributes:
        family: Kind of base model.
        base_model: Name of the base model.
        fingerprint: Tells checkpoints of one family apart.
        prediction: What the base model's denoiser predicts.
        target: Prompt of the edited image, or "".
        source: Caption of the input image, or "".
        width: Width of the canvas, in pixels.
        height: Height of the canvas, in pixels.
        image_sha256: Hash of the input image's size and RGB bytes.
        settings: Settings of the fit; None where another tool made the weights.
        losses: Mean loss of every optimiser step; none where another tool made the weights.
        gap: Loss after the fit as a share of the loss before it, on the same noise; None where
            another tool made the weights.
        versions: Versions of the packages that made it.
        levers: Names of the levers that were pulled when the fit ended, lowest first.
        relieved: Those of them that were pulled because the device ran out of memory.
    """

    family: str
    base_model: str
    fingerprint: str
    prediction: str
    target: str
    source: str
    width: int
    height: int
    image_sha256: str
    settings: FitSettings | None
    losses: tuple[float, ...]
    gap: float | None
    versions: Mapping[str, str]
    levers: tuple[str, ...] = ()
    relieved: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Adapter:
    """LoRA weights, the optimised conditioning and the record of one fit.

    Two adapters are equal when every tensor and every field of the record is.

    Attributes:
        lora: LoRA tensors, half precision, by `<module>.lora_A.weight` and
            `<module>.lora_B.weight`.
        conditioning: The optimised conditioning, half precision, batch 1.
        latents: Latents of the input image, half precision, shape (1, C, h, w).
        record: What was fitted and how.
        thumbnail: A small JPEG of the input image, for other tools to show, or b"".
    """

    lora: Mapping[str, torch.Tensor] = field(repr=False)
    conditioning: Conditioning = field(repr=False)
    latents: torch.Tensor = field(repr=False)
    record: FitRecord
    thumbnail: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lora", MappingProxyType(dict(self.lora)))

    def __eq__(self, other: object) -> bool:
        """Return whether two adapters are the same, bit for bit."""
        if not isinstance(other, Adapter):
            return NotImplemented
        return self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        """Return a hash of the content."""
        return hash(self.sha256)

    @cached_property
    def sha256(self) -> str:
        """Hash of the adapter's file, as 64 hex digits."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @property
    def rank(self) -> int:
        """Largest rank among the layers."""
        return max(self.ranks().values())

    def ranks(self) -> dict[str, int]:
        """Return the rank of each layer by its path."""
        return ranks(self.lora)

    def to_bytes(self) -> bytes:
        """Return the content of the adapter's file; the same adapter gives the same bytes."""
        prefix = adapter_format.LORA_PREFIX
        tensors = {prefix + name: tensor for name, tensor in self.lora.items()}
        tensors[adapter_format.TOKENS] = self.conditioning.tokens
        tensors[adapter_format.LATENTS] = self.latents
        if self.conditioning.pooled is not None:
            tensors[adapter_format.POOLED] = self.conditioning.pooled
        record = asdict(self.record)
        written = {n: value for n, value in record.items() if value or n not in _OPTIONAL}
        return adapter_format.encode(tensors, written, self.shown())

    def shown(self) -> dict[str, str]:
        """Return what other tools show of the adapter, by their names for it."""
        width = self.conditioning.tokens.shape[-1]
        return modelspec.describe(asdict(self.record), self.lora, width, self.thumbnail)

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the adapter to one safetensors file, whole or not at all.

        Args:
            path: Where to.
            force: Replace a file that exists.

        Raises:
            OutputError: When it cannot be written, or exists and force is False.
        """
        write_atomic(path, self.to_bytes(), force=force)

    def compact(self, max_bytes: int) -> "Adapter":
        """Return the adapter with a smaller LoRA, as near to this one as the size allows.

        The embedding, the latents and the record stay: the record's `gap` is that of the fit.

        Args:
            max_bytes: Largest size of the file; 2 MB suits Stable Diffusion 1 and 2, 12 MB XL.

        Raises:
            SettingsError: When the embedding and the latents alone are larger.
        """
        whole = len(self.to_bytes())
        if whole <= max_bytes:
            return self
        weights = 2 * sum(tensor.numel() for tensor in self.lora.values())
        smaller = compact_weights(self.lora, max_bytes - (whole - weights))
        if not smaller:
            raise SettingsError(
                f"max_bytes was {max_bytes}, but {whole - weights} bytes of this adapter's {whole} "
                "are not LoRA weights; allow more."
            )
        return replace(self, lora=smaller)

    def push_to_hub(
        self,
        repository: str,
        *,
        pictures: Mapping[str, Image.Image] = MappingProxyType({}),
        licence: str = "",
        private: bool = True,
        force: bool = False,
        token: str | None = None,
    ) -> str:
        """Share the adapter on the Hugging Face Hub, with a card that says what it is.

        Whoever may read the repository can see the picture: see the file format.

        Args:
            repository: Name of the repository, "owner/name"; it is made.
            pictures: Pictures for the card by their captions, e.g. the edits of a sweep.
            licence: The Hub's word for the licence, e.g. "cc-by-4.0"; default: none is chosen.
            private: Whether only the owner may read it.
            force: Write to a repository that exists.
            token: An access token; default: that of 'hf auth login'.

        Returns:
            The address of the repository.

        Raises:
            HubError: When nobody is logged in, the repository exists and force is False, or the Hub
                cannot be reached.
        """
        named = [(f"picture-{n}.png", text) for n, text in enumerate(pictures, start=1)]
        data = self.to_bytes()
        card = write_card(
            repository,
            HUB_FILE,
            asdict(self.record),
            facts={"rank": str(self.rank), "size": f"{len(data) / 1e6:.1f} MB"},
            pictures=named,
            licence=licence,
        )
        files = {HUB_FILE: data, "README.md": card.encode()}
        files |= {path: to_png(pictures[text]) for path, text in named}
        return hub.upload(repository, files, private=private, force=force, token=token)

    @classmethod
    def from_hub(
        cls,
        repository: str,
        *,
        file: str = HUB_FILE,
        revision: str | None = None,
        token: str | None = None,
    ) -> "Adapter":
        """Read an adapter from the Hugging Face Hub, or from the cache of what was read before.

        Args:
            repository: Name of the repository, "owner/name".
            file: Name of the file in it.
            revision: A branch, a tag or a commit; default: the newest.
            token: An access token; default: that of 'hf auth login', if any.

        Raises:
            HubError: When there is no such repository or file, or the Hub cannot be reached.
            AdapterFileError: When the file is no adapter.
        """
        return cls.load(hub.download(repository, file, revision=revision, token=token))

    @classmethod
    def load(cls, path: str | Path) -> "Adapter":
        """Read an adapter; nothing in the file can run code.

        Args:
            path: An adapter file.

        Raises:
            AdapterFileError: When the file is missing, truncated, foreign, hostile or newer.
        """
        path = Path(path)
        try:
            return cls.from_bytes(read_limited(path))
        except AdapterFileError as error:
            raise AdapterFileError(f"The adapter {str(path)!r} cannot be used: {error}") from error

    @classmethod
    def from_bytes(cls, data: bytes) -> "Adapter":
        """Return the adapter whose file has this content.

        Args:
            data: Content of an adapter file.

        Raises:
            AdapterFileError: When it is not a whole adapter that this version can read.
        """
        tensors, header = adapter_format.decode(data)
        prefix = adapter_format.LORA_PREFIX
        lora = {
            name.removeprefix(prefix): tensor
            for name, tensor in tensors.items()
            if name.startswith(prefix)
        }
        conditioning = Conditioning(
            tensors[adapter_format.TOKENS], tensors.get(adapter_format.POOLED)
        )
        thumbnail = modelspec.read_thumbnail(adapter_format.read_metadata(data))
        latents = tensors[adapter_format.LATENTS]
        return cls(lora, conditioning, latents, _parse_record(header), thumbnail)


def read_limited(path: Path) -> bytes:
    """Return a file's content, refusing before reading what is too large to be an adapter.

    Raises:
        AdapterFileError: When it is too large or cannot be read.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise AdapterFileError(f"it has {size} bytes, an adapter has at most {MAX_BYTES}.")
        return path.read_bytes()
    except OSError as error:
        raise AdapterFileError(f"{error.strerror or error}.".lower()) from error


def _parse_record(header: Mapping[str, Any]) -> FitRecord:
    """Return the record of a header; unknown fields of a later minor version are left out."""
    wanted = {item.name for item in fields(FitRecord)}
    missing = wanted - header.keys() - set(_OPTIONAL)
    if missing:
        raise AdapterFileError(f"its header lacks {', '.join(sorted(missing))}.")
    for name in _TEXTS:
        if not isinstance(header[name], str):
            raise AdapterFileError(f"its header's {name} is not text.")
    for name in ("width", "height"):
        value = header[name]
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 8192:
            raise AdapterFileError(f"its header's {name} is {value!r}, allowed is 1 to 8192.")
    values = {name: header[name] for name in wanted & header.keys()}
    values |= {name: _parse_texts(name, header.get(name, [])) for name in _OPTIONAL}
    values |= {
        "settings": _parse_settings(header["settings"]),
        "losses": tuple(_parse_number(value) for value in _parse_list(header["losses"])),
        "gap": None if header["gap"] is None else _parse_number(header["gap"]),
        "versions": _parse_versions(header["versions"]),
    }
    return FitRecord(**values)


def _parse_settings(value: Any) -> FitSettings | None:
    """Return fit settings from a header, without fields that this version does not know."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise AdapterFileError("its header's settings are not an object.")
    known = {item.name for item in fields(FitSettings)}
    try:
        return FitSettings(**{name: value[name] for name in known & value.keys()})
    except (SettingsError, TypeError) as error:
        raise AdapterFileError(f"its header's settings are not valid: {error}") from error


def _parse_list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise AdapterFileError("its header's losses are not a list.")
    return value


def _parse_texts(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise AdapterFileError(f"its header's {name} is not a list of texts.")
    return tuple(value)


def _parse_number(value: Any) -> float:
    """Return a finite number from a header."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise AdapterFileError(f"its header has {value!r} where a number is expected.")
    return value


def _parse_versions(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(word, str) for word in value.values()):
        raise AdapterFileError("its header's versions are not an object of texts.")
    return value
