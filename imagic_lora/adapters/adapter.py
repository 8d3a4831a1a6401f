"""The result of one fit: an immutable value, and one small file that needs nothing else."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch

from imagic_lora.adapters import modelspec
from imagic_lora.adapters.compact import compact_weights
from imagic_lora.adapters.file import Content, decode, encode, read_limited
from imagic_lora.adapters.pictures import INPUT, THUMBNAIL, check, decoded
from imagic_lora.adapters.record import FitRecord
from imagic_lora.adapters.weights import Weights
from imagic_lora.conditioning import Conditioning
from imagic_lora.errors import AdapterFileError, SettingsError, quoted
from imagic_lora.files import write_atomic

if TYPE_CHECKING:
    from PIL import Image

HUB_FILE = "adapter.safetensors"
"""Name of an adapter's file on the Hub."""


@dataclass(frozen=True, eq=False)
class Adapter:
    """LoRA weights, the optimised conditioning and the record of one fit.

    Two adapters are equal when every tensor and every field of the record is. They can be copied,
    pickled and sent to other processes.

    Attributes:
        lora: LoRA tensors, half precision, by `<module>.lora_A.weight` and
            `<module>.lora_B.weight`.
        conditioning: The optimised conditioning, half precision, batch 1, where edits of
            `direction="interpolate"` start; guided ones start at the caption.
        latents: Latents of the input image, half precision, shape (1, C, h, w).
        record: What was fitted and how.
        thumbnail: A small JPEG of the input image, for other tools to show, or b"".
        picture: The input image on its canvas as a PNG, or b"" where it is too large to keep, and in
            files of earlier versions.
    """

    lora: Weights = field(repr=False)
    conditioning: Conditioning = field(repr=False)
    latents: torch.Tensor = field(repr=False)
    record: FitRecord
    thumbnail: bytes = field(default=b"", repr=False)
    picture: bytes = field(default=b"", repr=False)

    def __eq__(self, other: object) -> bool:
        """Return whether two adapters are the same, bit for bit."""
        if not isinstance(other, Adapter):
            return NotImplemented
        return self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        """Return a hash of the content."""
        return hash(self.sha256)

    def __reduce__(self) -> tuple[Callable[[bytes], "Adapter"], tuple[bytes]]:
        return Adapter.from_bytes, (self.to_bytes(),)

    @cached_property
    def sha256(self) -> str:
        """Hash of the adapter's file, as 64 hex digits."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @property
    def rank(self) -> int:
        """Largest rank among the layers."""
        return self.lora.rank

    def ranks(self) -> dict[str, int]:
        """Return the rank of each layer by its path."""
        return self.lora.ranks()

    @cached_property
    def input(self) -> "Image.Image | None":
        """The input image on its canvas, RGB; None where it was not kept."""
        size = self.record.width, self.record.height
        return decoded(self.picture, size) if self.picture else None

    def to_bytes(self) -> bytes:
        """Return the content of the adapter's file; the same adapter gives the same bytes."""
        texts = {**self.shown(), **INPUT.written(self.picture)}
        return encode(Content(self.lora, self.conditioning, self.latents, self.record, texts))

    def shown(self) -> dict[str, str]:
        """Return what other tools show of the adapter, by their names for it."""
        width = self.conditioning.tokens.shape[-1]
        return modelspec.describe(self.record, self.lora, width, self.thumbnail)

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
        if smaller is None:
            raise SettingsError(
                f"max_bytes was {max_bytes}, but {whole - weights} bytes of this adapter's {whole} "
                "are not LoRA weights; allow more."
            )
        return replace(self, lora=smaller)

    def push_to_hub(
        self,
        repository: str,
        *,
        pictures: Mapping[str, "Image.Image"] = MappingProxyType({}),
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
        from imagic_lora.adapters.sharing import push  # noqa: PLC0415  a file needs no Hub

        return push(
            self,
            repository,
            pictures=pictures,
            licence=licence,
            private=private,
            force=force,
            token=token,
        )

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
        from imagic_lora import hub  # noqa: PLC0415  a file needs no Hub

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
            raise AdapterFileError(
                f"The adapter {quoted(str(path))} cannot be used: {error}"
            ) from error

    @classmethod
    def from_bytes(cls, data: bytes) -> "Adapter":
        """Return the adapter whose file has this content.

        Args:
            data: Content of an adapter file.

        Raises:
            AdapterFileError: When it is not a whole adapter that this version can read.
        """
        content = decode(data)
        picture, record = INPUT.read(content.shown), content.record
        if picture:
            check(picture, (record.width, record.height))
        return cls(
            content.lora,
            content.conditioning,
            content.latents,
            record,
            THUMBNAIL.read(content.shown),
            picture,
        )
