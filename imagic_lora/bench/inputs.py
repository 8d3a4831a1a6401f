"""What methods are given: each picture whole, at the canvas that the model works on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from itertools import zip_longest
from pathlib import Path

from PIL import Image

from imagic_lora.bench.items import Item
from imagic_lora.images.canvas import Size, canvas
from imagic_lora.images.png import image_hash, save_png
from imagic_lora.images.reading import open_image
from imagic_lora.memory import MemoryPlan
from imagic_lora.models.base import Traits
from imagic_lora.models.blueprint import find_blueprint


@dataclass(frozen=True)
class Input:
    """A picture as methods are given it.

    Attributes:
        path: Its file.
        size: Its width and height, in pixels.
        sha256: Hash of the picture before it was scaled.
    """

    path: Path
    size: Size
    sha256: str


@dataclass(frozen=True)
class Inputs:
    """The pictures of items as methods are given them.

    Attributes:
        model: The model that they are for, as it was asked for; of a checkpoint, the folder that
            lends it its configuration.
        folder: Keeps those that had to be scaled.
    """

    model: str | Path
    folder: Path
    _known: dict[Path, Input] = field(default_factory=dict, repr=False, compare=False)

    def of(self, item: Item) -> Input:
        """Return an item's picture: its own file, or one that was scaled by Lanczos.

        Args:
            item: The item.
        """
        if item.picture not in self._known:
            self._known[item.picture] = self._prepared(item.picture)
        return self._known[item.picture]

    def _prepared(self, path: Path) -> Input:
        picture, traits = open_image(path), self._traits
        size = canvas(picture.size, native=traits.native_size, multiple=traits.multiple)
        sha256 = image_hash(picture)
        if picture.size == size:
            return Input(path, size, sha256)
        scaled = self.folder / f"{sha256[:16]}-{size[0]}x{size[1]}.png"
        if not scaled.exists():
            record = {"kind": "Input", "version": version("imagic-lora")}
            save_png(picture.resize(size, Image.Resampling.LANCZOS), scaled, record, force=True)
        return Input(scaled, size, sha256)

    @cached_property
    def _traits(self) -> Traits:
        """What is known of the model without its weights."""
        return find_blueprint(self.model).build(MemoryPlan.automatic("cpu")).traits


def spread(items: Sequence[Item], kinds: Sequence[str], count: int | None) -> tuple[Item, ...]:
    """Return so many items, evenly over the kinds, in turn; all in their order where none is said.

    Args:
        items: The items.
        kinds: The kinds.
        count: How many; None is all.
    """
    if count is None:
        return tuple(items)
    of_kind = [[item for item in items if item.kind == kind] for kind in kinds]
    turns = zip_longest(*of_kind)
    return tuple([item for turn in turns for item in turn if item is not None][:count])
