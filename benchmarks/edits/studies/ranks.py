"""What an adapter's size buys: edit scores against bytes.

Ranks, adapted layers, shrinking after the fit, and what is lost where tools take words alone. The
strength is alpha; at 0 the adapter alone recalls its picture, without fidelity.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from PIL import Image

from benchmarks.edits.measuring import Record
from benchmarks.edits.methods import Bench
from benchmarks.edits.methods.imagic import FIT, ImagicLora
from benchmarks.edits.rates import mean, means
from benchmarks.edits.scores import brightness, psnr
from benchmarks.edits.study import Run, Study
from benchmarks.plots import plot
from benchmarks.switching import draw_weights, wrap
from benchmarks.world.pipeline import REPOSITORY
from imagic_lora import Adapter, EditSettings, FitSettings, ImagicEditor
from imagic_lora.bench.items import Item
from imagic_lora.editing.edits import Edits
from imagic_lora.images.reading import open_image
from imagic_lora.models.blueprint import BLUEPRINTS

PLOTS = REPOSITORY / "docs" / "images"
RANKS = (1, 2, 4, 8, 16, 32)

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
FEED_FORWARD = ("ff.net.0.proj", "ff.net.2")

ELSEWHERE = EditSettings(fidelity=0, focus=0, structure_lock=0.01)
"""What other tools can do: image-to-image, the caption as the negative prompt."""

COMPACT = {"sd15": 2_000_000, "sdxl": 12_000_000}
"""Bytes of the compact form of the true models."""


@dataclass(frozen=True)
class Sized(ImagicLora):
    """The product with an adapter of another size.

    Attributes:
        targets: Endings of the names of the adapted layers; () for the default's.
        within: What the names of the adapted layers begin with.
        share: The adapter is shrunk to one of so many parts of its bytes after the fit.
        exported: Only the LoRA is used, with the caption's own embedding.
    """

    strengths: tuple[float, ...] = (0.0, 1.0)
    targets: tuple[str, ...] = ()
    within: str = ""
    share: int = 1
    exported: bool = False

    def editor(self, bench: Bench) -> ImagicEditor:
        """Return an editor whose fits adapt the chosen layers; it has the bench's denoiser."""
        model = copy.copy(bench.editor.model)
        endings = tuple(f".{target}" for target in self.targets or model.traits.lora_targets)
        layers = (path for path, _ in model.denoiser.named_modules() if path.endswith(endings))
        chosen = tuple(path for path in layers if path.startswith(self.within))
        model.traits = replace(model.traits, lora_targets=chosen)
        return ImagicEditor(model)

    def fit(self, bench: Bench, case: Item) -> Adapter:
        """Fit the picture and make of the adapter what is asked for."""
        adapter = super().fit(bench, case)
        if self.share > 1:
            return adapter.compact(len(adapter.to_bytes()) // self.share)
        if self.exported:
            words = bench.editor.model.encode_prompt(case.source or "").to("cpu", torch.float16)
            return replace(adapter, conditioning=words)
        return adapter

    def edit(self, bench: Bench, case: Item, prepared: Edits, strength: float) -> Image.Image:
        """Edit towards the case's target; recall the picture without fidelity."""
        if strength == 0:
            prepared = bench.editor.edits(prepared.requests, settings=ELSEWHERE)
        return super().edit(bench, case, prepared, strength)


WHOLE = f"rank {FIT.rank}"

GROUPS: Mapping[str, Mapping[str, Sized]] = {
    "ranks": {
        **{f"rank {rank}": Sized(FitSettings(rank=rank)) for rank in RANKS},
        f"{WHOLE}, another seed": Sized(FitSettings(seed=1)),
    },
    "layers": {
        "attention": Sized(targets=ATTENTION),
        "attention, feed-forward": Sized(targets=(*ATTENTION, *FEED_FORWARD)),
        "up blocks": Sized(within="up_blocks."),
    },
    "shrunk": {f"{WHOLE}, 1/{share} of the size": Sized(share=share) for share in (2, 4)},
    "words": {
        "whole adapter, without fidelity": Sized(editing=ELSEWHERE),
        "its LoRA alone, in other tools": Sized(editing=ELSEWHERE, exported=True),
        "fitted for words alone, in other tools": Sized(
            FitSettings(embedding_lr=0), editing=ELSEWHERE
        ),
    },
}


def summary(run: Run) -> dict[str, Any]:
    """Return the mean figures of each variant, by group, and the bytes of the true models."""
    own = run.by_method()
    groups = {
        group: {name: figures(run, own[name]) for name in members if name in own}
        for group, members in GROUPS.items()
    }
    return {"cases": len(run.cases), "groups": groups, "full_size_bytes": sizes()}


def figures(run: Run, records: list[Record]) -> dict[str, float]:
    """Return the mean figures of one variant; what is recalled is nearness to the input, in dB."""
    inputs = {case.name: brightness(open_image(case.picture)) for case in run.cases}
    scores = ("edited", "kept", "perfect", "psnr_ideal", "psnr_outside")
    return {
        **means([record["scores"]["1"] for record in records], scores),
        "recall": mean(
            psnr(brightness(run.picture(record, 0)), inputs[record["case"]]) for record in records
        ),
        **means(records, ("bytes", "gap")),
    }


def sizes() -> dict[str, dict[str, int]]:
    """Return the bytes of an adapter of the true models: by default, and in the compact form."""
    found = {}
    for name, most in COMPACT.items():
        with torch.device("meta"):
            unet: Any = UNet2DConditionModel.from_config(dict(BLUEPRINTS[name].networks["unet"]))
        adapter = wrap(draw_weights(unet, 0), unet)
        whole, small = (len(each.to_bytes()) for each in (adapter, adapter.compact(most)))
        found[name] = {"default": whole, "compact": small}
    return found


def write_plot(groups: dict[str, dict[str, dict[str, float]]], path: Path) -> None:
    """Write the plot of nearness to the input against bytes, a line or marks for each group."""
    with plot(
        path,
        xscale="log",
        xlabel="size of the adapter, kB",
        ylabel="nearness of alpha 0 to the input, dB",
        title="What an adapter alone recalls, on the demo model",
    ) as axes:
        for group, members in groups.items():
            if group != "words":
                points = sorted((row["bytes"] / 1000, row["recall"]) for row in members.values())
                style = "-" if group in ("ranks", "shrunk") else ""
                axes.plot(*zip(*points, strict=True), marker="o", linestyle=style, label=group)


STUDY = Study(
    name="ranks",
    result="ranks",
    methods={name: one for members in GROUPS.values() for name, one in members.items()},
    summary=summary,
    split="tune",
    count=8,
    whole=True,
    pictures=lambda run, result: write_plot(result["groups"], PLOTS / f"{run.study.result}.png"),
)
