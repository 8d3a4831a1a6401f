"""Models without weights: from their configurations, built at their true size out of nothing.

Every layer is the real one, on PyTorch's meta device. What they need in memory can be counted; no
picture can be made with them. The public configurations of some models are in known.json, smaller
models of a family before larger ones.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from imagic_lora.errors import ModelError
from imagic_lora.memory import MemoryPlan
from imagic_lora.models.base import LatentModel
from imagic_lora.models.families import find_family
from imagic_lora.models.family import Family
from imagic_lora.models.folder import left_out
from imagic_lora.models.parts.quiet import quiet
from imagic_lora.models.repository import known_name
from imagic_lora.models.source import resolve


@dataclass(frozen=True)
class Blueprint:
    """The configurations of one model.

    Attributes:
        name: Name of the model.
        family: Kind of model.
        networks: Configuration of each network by its name in a pipeline.
    """

    name: str
    family: Family
    networks: Mapping[str, Mapping[str, Any]]

    def build(self, plan: MemoryPlan) -> LatentModel:
        """Return the model on the meta device, its weights in the precisions of a real load.

        Args:
            plan: What it will be counted under.
        """
        with quiet():
            networks: dict[str, Any] = dict.fromkeys(self.family.networks)
            networks |= {name: self._network(name, plan.dtype) for name in self.networks}
        pipeline = SimpleNamespace(config={}, **networks, **self._plain_parts())
        model: LatentModel = self.family.load_class()(pipeline, self.name, plan)
        return model

    def _network(self, name: str, dtype: torch.dtype) -> Any:
        """Return one network, frozen."""
        made, config = _find_class(self.family.networks[name][0]), dict(self.networks[name])
        configured = getattr(made, "config_class", None)
        # Only now, since what a package makes while it is imported must be real.
        with torch.device("meta"):
            network = made.from_config(config) if configured is None else made(configured(**config))
        exact = name in self.family.float32
        frozen: Any = network.to(torch.float32 if exact else dtype).requires_grad_(False)
        return frozen.eval()

    def _plain_parts(self) -> dict[str, Any]:
        """Return what stands in for the parts that have no weights."""
        return {
            name: _find_class(classes[0])() if name == "scheduler" else _Tokenizer()
            for name, classes in self.family.plain.items()
        }

    def same_networks(self, other: "Blueprint") -> bool:
        """Return whether another model has the same denoiser, as far as this one states it.

        And it is made without the same networks, if any.
        """
        name = self.family.denoiser
        theirs = other.networks.get(name, {})
        return self.networks.keys() == other.networks.keys() and all(
            theirs.get(key) == value for key, value in self.networks[name].items()
        )

    def variants(self) -> tuple["Blueprint", ...]:
        """Return it, and it without each network that a model of its kind may be made without."""
        return (self, *(self.without(part) for part in self.family.optional))

    def without(self, *parts: str) -> "Blueprint":
        """Return it without some of its networks.

        Args:
            parts: Their names; none leaves it as it is.
        """
        if not parts:
            return self
        rest = {name: each for name, each in self.networks.items() if name not in parts}
        return replace(self, name=f"{self.name} without {', '.join(parts)}", networks=rest)


def _find_class(dotted: str) -> Any:
    """Return a class by its name in a row of the families."""
    module, _, name = dotted.rpartition(".")
    return getattr(import_module(module), name)


class _Tokenizer:
    """Stands in for a tokenizer: every prompt is as long as prompts can be."""

    model_max_length = 10**30

    def __call__(self, prompt: str, *, max_length: int = 1, **_: Any) -> Any:
        """Return the ids of a full-length prompt, whatever it says."""
        del prompt
        return SimpleNamespace(input_ids=[0] * max_length, attention_mask=[1] * max_length)

    def apply_chat_template(self, messages: Any, **_: Any) -> str:
        """Return any text, for it is read as a full-length prompt."""
        return str(messages)

    def num_special_tokens_to_add(self) -> int:
        """Return how many tokens mark start and end."""
        return 0


def _known() -> dict[str, Blueprint]:
    """Return the models that are known by a name."""
    text = (files("imagic_lora.models") / "known.json").read_text("utf-8")
    return {
        name: Blueprint(name, find_family(row["family"]), row["networks"])
        for name, row in json.loads(text).items()
    }


BLUEPRINTS = _known()


def find_blueprint(source: str | Path) -> Blueprint:
    """Return the blueprint of a known model, or of one whose configuration is at hand.

    Args:
        source: One of BLUEPRINTS such as "sd15" or "klein4b", "demo", a pipeline folder, a Hub
            name, or one checkpoint.

    Raises:
        ModelError: When there is no such model, or its configuration cannot be read.
    """
    if str(source) in BLUEPRINTS:
        return BLUEPRINTS[str(source)]
    found = resolve(source, None)
    if found.checkpoint is not None:
        # It has no configuration: where it is like no known model, the larger of its family counts.
        alike = [known for known in BLUEPRINTS.values() if known.family is found.family][-1]
        known = BLUEPRINTS.get(known_name(found.checkpoint), alike)
        return known.without(*found.checkpoint.left_out)
    without = left_out(found.path, found.family)
    parts = [name for name in found.family.networks if name not in without]
    networks = {name: _read(found.path / name / "config.json") for name in parts}
    return Blueprint(found.name, found.family, networks)


def _read(path: Path) -> Any:
    """Return a configuration file's content."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"The configuration {path.name!r} of {path.parent.name!r} cannot be read."
        ) from error
