"""An editor that fits and edits in no time, for tests of what goes on around it."""

import hashlib
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import torch
from PIL import Image

from imagic_lora import Adapter, Edit, EditSettings, FitSettings, ImagicEditor, Progress
from imagic_lora.errors import warn
from imagic_lora.images.png import image_hash
from imagic_lora.memory import MemoryPlan


class QuickEditor(ImagicEditor):
    """Returns adapters and pictures that depend on all that was asked, and on nothing else.

    Args:
        adapter: What its adapters are made of.
        name: Name of its model.
        fingerprint: Tells its weights apart.
        failures: What to raise, by which work it is, counted from 1.

    Attributes:
        count: How many fits and edits it was asked for.
    """

    def __init__(
        self,
        adapter: Adapter,
        name: str = "tiny",
        fingerprint: str = "f",
        failures: dict[int, BaseException] | None = None,
    ) -> None:
        model: Any = SimpleNamespace(
            traits=SimpleNamespace(name=name, fingerprint=fingerprint),
            plan=MemoryPlan.automatic("cpu"),
            denoiser=torch.nn.Identity(),
        )
        super().__init__(model)
        self.failures = dict(failures or {})
        self.count = 0
        self._made_of = replace(adapter, picture=b"")

    def fit(self, image: Any, **asked: Any) -> Adapter:
        """Return an adapter that says what was asked."""
        self._work(asked)
        settings: FitSettings = asked["settings"]
        record = replace(
            self._made_of.record,
            base_model=self.model.traits.name,
            fingerprint=self.model.traits.fingerprint,
            image_sha256=image_hash(image),
            target=asked["target"],
            source=asked["source"] or "",
            settings=settings,
        )
        return replace(self._made_of, record=record)

    def edit(self, adapter: Adapter, **asked: Any) -> Edit:
        """Return a picture of one colour, which depends on what was asked."""
        self._work(asked)
        if len(asked["target"]) > 100:
            warn("the target is long.")
        settings: EditSettings = asked["settings"]
        said = f"{adapter.sha256} {asked['alpha']} {asked['target']} {settings}"
        colour = tuple(hashlib.sha256(said.encode()).digest()[:3])
        mask = asked["mask"]
        return Edit(
            image=Image.new("RGB", (32, 32), colour),
            target=asked["target"],
            settings=settings,
            base_model=self.model.traits.name,
            fingerprint=self.model.traits.fingerprint,
            frame=adapter.record.frame,
            alpha=1.25 if asked["alpha"] == "auto" else asked["alpha"],
            adapter_sha256=adapter.sha256,
            mask_sha256=None if mask is None else image_hash(mask),
        )

    def _work(self, asked: Any) -> None:
        """Report a step, and fail if it is time."""
        self.count += 1
        step = Progress(phase="fit", step=1, steps=1, loss=None, seconds=0, peak_bytes=0)
        asked["on_progress"](step)
        if self.count in self.failures:
            raise self.failures[self.count]
