"""What campaigns work with: a tiny model with an adapter, and every kind of work to be done with it."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from PIL import Image

from imagic_lora import Adapter, EditSettings, FitSettings, ImagicEditor, SamplingSettings
from imagic_lora.adapters.exporting import lora_bytes
from imagic_lora.editing.request import EditRequest
from imagic_lora.errors import heard_by
from tests.support.tiny import build

Work = Callable[[ImagicEditor], bytes]
QUICK = EditSettings(steps=1, focus=0)
SHORT = FitSettings(steps=1, rank=1, batch=1)


@dataclass(frozen=True)
class Stage:
    """A tiny model in a folder, and what was made with it.

    Attributes:
        folder: Where files may be left.
    """

    folder: Path

    @cached_property
    def model(self) -> Path:
        """The folder of the pipeline."""
        path = self.folder / "tiny"
        if not path.exists():
            _smallest().save_pretrained(path)
        return path

    @cached_property
    def editor(self) -> ImagicEditor:
        """An editor over it."""
        return self.fresh()

    def fresh(self) -> ImagicEditor:
        """Return another editor, with a model of its own."""
        return ImagicEditor.from_pretrained(self.model, device="cpu")

    @cached_property
    def picture(self) -> Image.Image:
        """A picture with structure."""
        across = Image.linear_gradient("L").resize((32, 32))
        return Image.merge("RGB", (across, across.rotate(90), Image.new("L", (32, 32), 90)))

    @cached_property
    def adapter(self) -> Adapter:
        """A short fit of the picture."""
        return self.editor.fit(self.picture, source="dog", target="dog here", settings=SHORT)

    @cached_property
    def other(self) -> Adapter:
        """Another fit, of a larger rank."""
        settings = replace(SHORT, rank=6, seed=5)
        return self.editor.fit(self.picture, source="dog", target="dog there", settings=settings)

    @cached_property
    def lora(self) -> bytes:
        """The first adapter's LoRA as kohya's scripts write it."""
        return lora_bytes(self.adapter, "kohya")

    @cached_property
    def works(self) -> Mapping[str, Work]:
        """Every kind of work, as functions from an editor to what comes of it."""
        first, other, picture = self.adapter, self.other, self.picture
        plain, pair = SamplingSettings(steps=1), [EditRequest(adapter=a) for a in (first, other)]
        aside = replace(QUICK, direction="interpolate", fidelity=0)
        drawn = picture.convert("L")
        return {
            "fit": lambda e: e.fit(picture, source="dog", settings=SHORT).to_bytes(),
            "fit with search": lambda e: e.fit(picture, target="cat", settings=SHORT).to_bytes(),
            "caption": lambda e: e.caption(picture, "cat").encode(),
            "edit": lambda e: e.edit(first, settings=QUICK).image.tobytes(),
            "another's edit": lambda e: e.edit(other, settings=QUICK).image.tobytes(),
            "edit with search": lambda e: e.edit(
                first, target="cat", settings=QUICK
            ).image.tobytes(),
            "focused edit": lambda e: e.edit(
                first, settings=replace(QUICK, focus=1)
            ).image.tobytes(),
            "interpolated edit": lambda e: e.edit(first, settings=aside).image.tobytes(),
            "masked edit": lambda e: e.edit(first, mask=drawn, settings=QUICK).image.tobytes(),
            "batch": lambda e: b"".join(
                each.image.tobytes() for each in e.edit_batch(pair, settings=QUICK)
            ),
            "find alpha": lambda e: _at_found_alpha(e, first),
            "img2img": lambda e: e.img2img(picture, "a cat", settings=plain).image.tobytes(),
            "pull": lambda e: repr(e.pull(picture, "a dog", "a cat")).encode(),
            "input image": lambda e: e.input_image(first).tobytes(),
        }


def _smallest() -> Any:
    """Return the tiny pipeline with a denoiser of one block each way, so that a try is quick."""
    pipeline = build("sd1")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        pipeline.unet = UNet2DConditionModel(
            sample_size=16,
            block_out_channels=(16,),
            layers_per_block=1,
            down_block_types=("CrossAttnDownBlock2D",),
            mid_block_type=None,
            up_block_types=("CrossAttnUpBlock2D",),
            attention_head_dim=8,
            norm_num_groups=4,
            cross_attention_dim=32,
        ).eval()
    return pipeline


def _at_found_alpha(editor: ImagicEditor, adapter: Adapter) -> bytes:
    """Return an edit at the strength that is found; of an untrained model it is always in doubt."""
    with heard_by(lambda _: None):
        found = editor.find_alpha(adapter, alphas=(1.0,), settings=QUICK)
    return found.best.image.tobytes()


def fingerprint(editor: ImagicEditor) -> str:
    """Return a hash of all that a model is: its modules, what stands in for them, and every bit."""
    digest = hashlib.sha256()
    for network in editor.model.networks.all():
        for path, module in network.named_modules():
            digest.update(f"{path} {type(module).__name__} {'forward' in vars(module)}".encode())
        for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
            digest.update(f"{name} {tensor.requires_grad}".encode())
            digest.update(tensor.detach().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


@torch.no_grad()
def predicted(editor: ImagicEditor) -> bytes:
    """Return what a model predicts for fixed inputs, however its weights are stored by now."""
    model = editor.model
    latents = torch.linspace(-1, 1, 1024).view(1, 4, 16, 16)
    made = model.predict(latents, torch.tensor([500]), model.encode_prompt("a dog"))
    return bytes(made.numpy().tobytes())
