"""Pictures that were made, each with what made it."""

from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import version
from os import PathLike
from pathlib import Path
from typing import Any

from PIL import Image

from imagic_lora.images.canvas import Frame
from imagic_lora.images.png import save_png
from imagic_lora.settings import SamplingSettings


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture with what made it.

    Attributes:
        image: The picture.
        target: The prompt that it follows.
        settings: How it was denoised.
        base_model: Name of the base model.
        fingerprint: Tells checkpoints of its family apart.
        frame: Which part of the input it shows, at which size; None where that is not known.
        levers: Names of the levers that were pulled when it was made, lowest first.
        relieved: Those of them that were pulled because the device ran out of memory.
    """

    image: Image.Image = field(repr=False, compare=False)
    target: str
    settings: SamplingSettings
    base_model: str
    fingerprint: str
    frame: Frame | None = None
    levers: tuple[str, ...] = ()
    relieved: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """Return what made the picture, as plain values."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        del values["image"]
        values["settings"] = asdict(self.settings)
        values["frame"] = self.frame and self.frame.to_json()
        return {"kind": type(self).__name__, "version": version("imagic-lora"), **values}

    def save(self, path: str | PathLike[str], *, force: bool = False) -> None:
        """Write the picture as a PNG that carries its record.

        Args:
            path: Where to.
            force: Replace a file that exists.

        Raises:
            OutputError: When it cannot be written, or exists and force is False.
        """
        save_png(self.image, Path(path), self.record(), force=force)


@dataclass(frozen=True, kw_only=True)
class Edit(Picture):
    """An edited picture.

    Attributes:
        alpha: Prompt strength: 0 is the reconstruction, 1 the target prompt.
        adapter_sha256: Hash of the adapter.
        mask_sha256: Hash of the mask's size and RGB bytes, or None without a mask.
        mask_words: What the mask was found by, or None where it was given.
        mask: The mask on the canvas, as the content of a PNG in base 64; None without one, or where
            it is too large to be carried.
        shared: What the target was found to share with the input; None where that was the caption.
    """

    alpha: float
    adapter_sha256: str
    mask_sha256: str | None = None
    mask_words: str | None = None
    mask: str | None = field(default=None, repr=False)
    shared: str | None = None


@dataclass(frozen=True, kw_only=True)
class Variation(Picture):
    """A picture made by plain img2img, without an adapter.

    Attributes:
        strength: Share of the noise levels that were run.
        noise: Extra noise mixed into the input.
        image_sha256: Hash of the input image.
    """

    strength: float
    noise: float
    image_sha256: str
