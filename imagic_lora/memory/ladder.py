"""The levers, in the order in which they are pulled: what costs least comes first."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

Phase = Literal["text encode", "image encode", "fit", "sample", "decode"]
"""What a job consists of, in the order in which it happens; each has a peak of its own."""

PHASES: tuple[Phase, ...] = get_args(Phase)


@dataclass(frozen=True)
class Lever:
    """One way to need less memory.

    Attributes:
        name: What it is called.
        changes: Fields of a plan that it sets.
        slower: How many times longer each phase that it acts on is expected to take.
        help: One sentence, no full stop.
        moves: Whether it moves things from the device into the host's memory, which saves nothing
            where the two are one.
        rounds: Whether it changes results: then it is pulled before a model is loaded, or not at
            all.
    """

    name: str
    changes: Mapping[str, Any]
    slower: Mapping[Phase, float]
    help: str
    moves: bool = False
    rounds: bool = False


LADDER = (
    Lever(
        "micro-batch",
        {"micro_batch": 1},
        {"fit": 1.1},
        "work on one noise level at a time; the step's gradient is the same",
    ),
    Lever(
        "offload",
        {"offload_denoiser": True},
        {"text encode": 1.0, "image encode": 1.0, "decode": 1.0},
        "take the denoiser off the device while the encoders work",
        moves=True,
    ),
    Lever(
        "text streaming",
        {"stream_text": True},
        {"text encode": 1.0},
        "hold the text encoders in host memory while they work, too, and fetch each layer of them, "
        "and of their tables of words a prompt's rows",
        moves=True,
    ),
    Lever(
        "checkpointing",
        {"checkpointing": True},
        {"fit": 1.4},
        "recompute activations in the backward pass, from inputs that wait in host memory",
    ),
    Lever(
        "tiling",
        {"vae_tiling": True},
        {"image encode": 1.3, "decode": 1.3},
        "encode and decode images in overlapping tiles; seams are blended",
    ),
    Lever(
        "8-bit",
        {"eight_bit": True},
        {"fit": 1.3, "sample": 1.3},
        "hold the denoiser's frozen weights as int8 with a scale for every output channel",
        rounds=True,
    ),
    Lever(
        "streaming",
        {"streaming": True},
        {"image encode": 1.5, "fit": 3.0, "sample": 2.0, "decode": 1.5},
        "hold frozen weights in host memory, and fetch each while the layer before it computes",
        moves=True,
    ),
)
"""The order: first what changes no result and costs little time, then what changes no result, then
what rounds. Measured bytes decide how far up a budget has to go; the times are expectations."""
