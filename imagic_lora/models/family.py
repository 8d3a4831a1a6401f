"""What there is to know of a family of models before a weight is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal

KohyaNames = Literal["flat", "row", "bfl", "sai", "tongyi"]


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """What other tools call some of the models of a family.

    Attributes:
        modelspec: Its name in modelspec.
        kohya: Its name in the files of kohya's scripts.
        v2: Whether kohya's scripts count it as Stable Diffusion 2.
        token_width: Width of its token embeddings; None is any.
        prediction: What its denoiser predicts; None is anything.
    """

    modelspec: str
    kohya: str
    v2: bool = False
    token_width: int | None = None
    prediction: str | None = None


@dataclass(frozen=True, kw_only=True)
class Family:
    """A kind of model.

    Attributes:
        name: Its name, e.g. "sd".
        description: What it is, in one line.
        model: Where its LatentModel is: "module:class".
        pipelines: Names of diffusers' pipelines for it; the first is the one that is loaded.
        networks: The parts that have weights, each with the classes that it may be of.
        plain: The parts that have none, likewise.
        optional: Networks that a model may be made without, each with the part without weights that
            goes with it.
        unused: Other parts that a folder may have and that are not loaded, likewise.
        settings: What a pipeline is to be made with besides its parts.
        denoiser: Which network predicts.
        float32: Networks that half precision overflows.
        overflows: Whether float16 overflows the denoiser, so that bfloat16 or float32 is needed.
        exact_layers: Layers of the denoiser that are never rounded: small, and errors there show
            most.
        architectures: What other tools call it; the first that fits counts.
        kohya: How kohya's scripts name its layers: by diffusers' paths, counted in one row, or as
            the maker of a transformer does (adapters/fused.py).
        kohya_prefix: What those names begin with.
        checkpoint_keys: What one-file checkpoints of it have tensors of, each a beginning of names;
            none where those are not read.
        in_file: How names of each network's tensors begin there.
        prompts: How wide prompts are: its name in the denoiser's configuration, and how the name of
            the first tensor ends that is multiplied with them in a checkpoint.
        twins: Whether some of its models are others, distilled to a few steps, of the same tensors.
    """

    name: str
    description: str
    model: str
    pipelines: tuple[str, ...]
    networks: Mapping[str, tuple[str, ...]]
    plain: Mapping[str, tuple[str, ...]]
    optional: Mapping[str, str] = field(default_factory=dict)
    unused: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    denoiser: str
    float32: tuple[str, ...] = ()
    overflows: bool = False
    exact_layers: tuple[str, ...]
    architectures: tuple[Architecture, ...]
    kohya: KohyaNames = "flat"
    kohya_prefix: str = "lora_unet_"
    checkpoint_keys: tuple[str, ...] = ()
    in_file: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    prompts: tuple[str, str] = ("cross_attention_dim", ".attn2.to_k.weight")
    twins: bool = False

    @property
    def prefix(self) -> str:
        """What the names of LoRA weights in a file begin with."""
        return f"{self.denoiser}."

    @property
    def is_flow(self) -> bool:
        """Whether its models follow a flow, and can predict nothing else."""
        return all("FlowMatch" in each for each in self.plain["scheduler"])

    def load_class(self) -> Any:
        """Return its LatentModel class; this imports what the family is made with."""
        module, _, name = self.model.partition(":")
        return getattr(import_module(module), name)

    def architecture(self, token_width: int, prediction: str) -> Architecture:
        """Return what other tools call a model of this family.

        Args:
            token_width: Width of its token embeddings.
            prediction: What its denoiser predicts.
        """
        return next(
            found
            for found in self.architectures
            if found.token_width in (None, token_width) and found.prediction in (None, prediction)
        )
