"""Adapters and weights that are written by hand, so that nothing need be fitted to test a file."""

from functools import cache
from typing import Any

import torch
from diffusers import Flux2Transformer2DModel, UNet2DConditionModel

from imagic_lora import Adapter, FitSettings
from imagic_lora.adapters.exporting import Tool
from imagic_lora.adapters.record import FitRecord
from imagic_lora.adapters.weights import Pair, Weights
from imagic_lora.conditioning import Conditioning
from imagic_lora.editing.slots import Slots
from imagic_lora.fitting import lora
from imagic_lora.memory import MemoryPlan
from imagic_lora.models.families import FAMILIES
from imagic_lora.models.parts.unet import LORA_TARGETS
from imagic_lora.seeding import generator, randn
from tests.support.tiny import UNETS, Kind, build
from tests.support.transformers import velocity

CPU = torch.device("cpu")
TOOLS: tuple[Tool, ...] = ("kohya", "diffusers")

_WIDTHS = ("cross_attention_dim", "cap_feat_dim", "joint_attention_dim")
"""What the configurations of denoisers call the width of a token embedding."""

THUMBNAIL = b"\xff\xd8\xff\xd9"
"""The shortest file that begins and ends like a JPEG."""


def made(**changes: Any) -> Adapter:
    """Return a small adapter, with some fields of its record changed."""
    half = torch.arange(6, dtype=torch.float16)
    return Adapter(
        lora=Weights.of({"a.to_q": Pair(half.view(2, 3), half.view(3, 2))}),
        conditioning=Conditioning(half.view(1, 2, 3)),
        latents=half[:4].view(1, 4, 1, 1),
        record=record(**changes),
        thumbnail=THUMBNAIL,
    )


def record(**changes: Any) -> FitRecord:
    """Return a record, with some fields changed."""
    values: dict[str, Any] = {
        "family": "sd",
        "base_model": "someone/some-model",
        "fingerprint": "0123456789abcdef",
        "prediction": "epsilon",
        "target": "a girl with a flower",
        "source": "a girl",
        "width": 64,
        "height": 48,
        "image_sha256": "ab" * 32,
        "settings": FitSettings(steps=3),
        "losses": (0.5, 0.25, 0.125),
        "gap": 0.25,
        "versions": {"imagic-lora": "0.1.0"},
    }
    return FitRecord(**(values | changes))


def denoiser(kind: Kind) -> tuple[Any, tuple[str, ...]]:
    """Return the network of a tiny pipeline that predicts, and which layers a fit adapts."""
    if kind in UNETS:
        return pipeline(kind).unet, LORA_TARGETS
    whole, plan = build(kind), MemoryPlan.automatic("cpu")
    family = next(
        family for family in FAMILIES.values() if type(whole).__name__ in family.pipelines
    )
    model = family.load_class()(whole, kind, plan)
    return model.denoiser.requires_grad_(False), model.traits.lora_targets


@cache
def pipeline(kind: Kind) -> Any:
    """Return a tiny pipeline with two layers in each block, as the published models have."""
    whole = build(kind)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = {**whole.unet.config, "layers_per_block": 2}
        whole.unet = UNet2DConditionModel.from_config(config).eval().requires_grad_(False)
    return whole


def filled(
    unet: Any,
    *,
    mixed: bool = True,
    rank: int = 3,
    seed: int = 0,
    targets: tuple[str, ...] = LORA_TARGETS,
) -> Weights:
    """Return weights for every layer that a fit adapts, one of a rank of its own if mixed."""
    lora.inject(unet, targets, rank, generator(seed, "lora"))
    fresh = lora.read(unet)
    lora.eject(unet)
    pairs = {}
    for path, pair in fresh.pairs.items():
        drawn = generator(seed, f"{path}.lora_B.weight")
        pairs[path] = Pair(pair.down, 0.2 * randn(tuple(pair.up.shape), drawn).half())
    if mixed:
        path = [path for path in pairs if path.endswith("to_out.0")][-1]
        pairs[path] = Pair(pairs[path].down[:2], pairs[path].up[:, :2])
    return Weights.of(pairs)


def predict(unet: Any, weights: Weights | None = None) -> torch.Tensor:
    """Return the UNet's output for fixed inputs, with given weights switched in."""
    if weights is None:
        return predict_rows(unet, 1)
    with Slots(unet).holding([weights], CPU):
        return predict_rows(unet, 1)


def predict_rows(unet: Any, count: int) -> torch.Tensor:
    """Return the UNet's output for a batch of fixed inputs, each row another."""
    channels = unet.config.in_channels // (4 if isinstance(unet, Flux2Transformer2DModel) else 1)
    x_t = randn((8, channels, 16, 16), generator(0, "x_t"))[:count].to(unet.dtype)
    width = next(unet.config[name] for name in _WIDTHS if name in unet.config)
    tokens = randn((8, 24, width), generator(0, "tokens"))[:count].to(unet.dtype)
    if not isinstance(unet, UNet2DConditionModel):
        with torch.no_grad():
            return velocity(unet, x_t, torch.full((count,), 0.5), tokens, torch.ones(count, 28))
    added = {"text_embeds": torch.ones(count, 40), "time_ids": torch.ones(count, 6)}
    with torch.no_grad():
        output: torch.Tensor = unet(
            x_t,
            torch.full((count,), 500),
            tokens,
            added_cond_kwargs=added,
        ).sample
    return output
