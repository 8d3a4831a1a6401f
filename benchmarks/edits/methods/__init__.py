"""The methods at their defaults, by the names that results have."""

from benchmarks.edits.methods.base import Bench, Method
from benchmarks.edits.methods.flow_edit import FlowAlign, FlowEdit
from benchmarks.edits.methods.full_unet import EmbeddingOnly, FullUNet
from benchmarks.edits.methods.imagic import ImagicLora
from benchmarks.edits.methods.img2img import Img2Img
from benchmarks.edits.methods.inversion import DdimInversion
from benchmarks.edits.methods.ledits import LeditsPP
from imagic_lora import FitSettings

__all__ = ["FOR", "METHODS", "SLOW", "Bench", "Method"]

METHODS: dict[str, Method] = {
    "imagic_lora": ImagicLora(),
    "imagic_lora_two_stage": ImagicLora(FitSettings(mode="two-stage")),
    "imagic_lora_unfitted": ImagicLora(FitSettings(steps=1, embedding_lr=0, lora_lr=0)),
    "full_unet": FullUNet(),
    "embedding_only": EmbeddingOnly(),
    "img2img": Img2Img(),
    "ddim_inversion": DdimInversion(),
    "ledits_pp": LeditsPP(),
    "flow_edit": FlowEdit(),
    "flow_align": FlowAlign(),
}

FOR = {
    "full_unet": "diffusion",
    "embedding_only": "diffusion",
    "ddim_inversion": "diffusion",
    "ledits_pp": "diffusion",
    "flow_edit": "flow",
    "flow_align": "flow",
}
"""Methods for one kind of model alone."""

SLOW = ("imagic_lora_two_stage", "full_unet", "embedding_only", "flow_edit", "flow_align")
"""Baselines that take so long, to fit or at each strength, that they may be given fewer cases."""
