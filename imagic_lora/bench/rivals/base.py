"""What every rival is: a value that paints what an item asks for, with a model that is lent to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from imagic_lora.bench.items import Item
from imagic_lora.editor import ImagicEditor
from imagic_lora.models.source import resolve
from imagic_lora.runs.passes import Passes

SEED = 0
"""Seed of all that is random in a rival."""

Paint = Callable[[Image.Image, Item], Image.Image]
"""From the picture of an item, and what the item asks, to the edited picture."""


@dataclass(frozen=True)
class Lent:
    """The model of a bench, loaded when a rival first needs it.

    Attributes:
        model: What `ImagicEditor.from_pretrained` loads.
        loading: What that takes besides.
        passes: Counts what goes through the denoisers of rivals.
    """

    model: str | Path
    loading: Mapping[str, Any] = field(default_factory=dict)
    passes: Passes = field(default_factory=Passes, compare=False)

    @cached_property
    def editor(self) -> ImagicEditor:
        """The product, over the model."""
        editor = ImagicEditor.from_pretrained(self.model, **self.loading)
        self.passes.watch(editor.model.denoiser)
        return editor

    def pipeline(self) -> Any:
        """Return the model as a pipeline of diffusers, on the device of the editor."""
        plan, config = self.editor.plan, self.loading.get("config")
        pipeline = resolve(self.model, config).load(plan.dtype)
        return pipeline.to(plan.device)


class Rival(Protocol):
    """A way to edit without a fit: its `repr` says all that its pictures depend on but the model."""

    @property
    def row(self) -> str:
        """What its row in tables is called."""

    def open(self, lent: Lent) -> Paint:
        """Load what is needed, and return what paints; a denoiser of its own is watched.

        Args:
            lent: The model of the bench, which counts what goes through denoisers.
        """
