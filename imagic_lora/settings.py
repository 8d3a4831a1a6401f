"""The settings of a fit, an edit and an img2img baseline.

Each field carries its help, range and unit. Command-line flags, web widgets and the tables of the
docs are all made from these fields, so a setting is described in one place only. Values are checked
when a settings object is made; there is no way to hold an invalid one.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeGuard, get_args

from imagic_lora.errors import SettingsError, near_match, quoted
from imagic_lora.texts import prompt

FitMode = Literal["joint", "two-stage"]
Direction = Literal["guided", "interpolate"]
Attention = Literal["auto", "sdpa", "xformers"]
SchedulerName = Literal["ddim", "dpm++", "euler", "heun", "unipc", "model"]


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value is a finite number that a float can hold; truth values are none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


@dataclass(frozen=True)
class Option:
    """What a person needs to know of one setting.

    Attributes:
        help: One sentence, no full stop.
        kind: What the value is: a whole number, a number, or text.
        low: Smallest allowed value, or None.
        high: Largest allowed value, or None.
        unit: Unit of the value, or "".
        choices: The allowed words, or () for a free value.
        optional: Whether None is allowed too.
        usual: The span that people usually look in, for a slider; others are allowed too.
    """

    help: str
    kind: type[int] | type[float] | type[str] = float
    low: float | None = None
    high: float | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()
    optional: bool = False
    usual: tuple[float, float] | None = None

    def range_text(self) -> str:
        """Return the allowed values in words, e.g. "1 to 10000 steps"."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.kind is str:
            return "any text"
        unit = f" {self.unit}" if self.unit else ""
        if self.low is not None and self.high is not None:
            return f"{self.low:g} to {self.high:g}{unit}"
        return "any number" if self.low is None else f"{self.low:g} or more{unit}"

    def check(self, name: str, value: Any) -> None:
        """Raise unless the value is allowed.

        Args:
            name: Name of the setting, for the message.
            value: The value to check.

        Raises:
            SettingsError: It is out of the range, or of another kind.
            PromptError: It should be a text, and is none that a prompt may be.
        """
        if value is None and self.optional:
            return
        if self.choices:
            allowed = value in self.choices
        elif self.kind is str:
            prompt(value, name, required=False)
            allowed = True
        else:
            allowed = self._is_number(name, value) and self._in_range(value)
        if not allowed:
            hint = near_match(value, self.choices) if isinstance(value, str) else ""
            found = quoted(value)
            raise SettingsError(f"{name} was {found}, allowed is {self.range_text()}.{hint}")

    def _is_number(self, name: str, value: Any) -> bool:
        """Return whether a value is a number; raise if it is one, but no whole one as it should."""
        if self.kind is int and isinstance(value, float):
            raise SettingsError(f"{name} was {value!r}, allowed is a whole number.")
        return is_number(value)

    def _in_range(self, value: float) -> bool:
        above = self.low is None or value >= self.low
        return above and (self.high is None or value <= self.high)


def option(default: Any, help: str, **kwargs: Any) -> Any:
    """Return a dataclass field with a default and an Option; without a default, it is optional."""
    if default is None:
        kwargs["optional"] = True
    else:
        kwargs.setdefault("kind", type(default))
    return field(default=default, metadata={"option": Option(help, **kwargs)})


def options(settings: Any) -> Iterator[tuple[str, Option]]:
    """Yield the name and Option of each field of a settings class or object."""
    for item in fields(settings):
        yield item.name, item.metadata["option"]


ALPHA = Option(
    "prompt strength: 0 reconstructs the input, 1 is the target prompt; "
    "above 1 goes past it, below 0 away from it",
    usual=(0, 2),
)
STRENGTH = Option(
    "share of the noise levels that img2img runs: 0 keeps the input", low=0, high=1, usual=(0, 1)
)
NOISE = Option("extra noise mixed into the input of img2img", low=0, high=1, usual=(0, 1))
ATTENTION = Option(
    "kernel of the denoiser's attention: auto leaves the choice to PyTorch, sdpa allows its fused "
    "kernels only, xformers uses that package",
    kind=str,
    choices=get_args(Attention),
)


@dataclass(frozen=True, kw_only=True)
class _Checked:
    """Base of the settings: checks every field once it is set."""

    def __post_init__(self) -> None:
        for name, described in options(self):
            described.check(name, getattr(self, name))


@dataclass(frozen=True, kw_only=True)
class FitSettings(_Checked):
    """How one image is fitted.

    The learning rates are those of a denoiser as wide as Stable Diffusion's (320 channels) and are
    scaled inversely with the width of the model at hand, so that one default serves models of any
    size. Source: Yang et al. 2022, "Tensor Programs V", arXiv 2203.03466, table 3. The LoRA's is that
    of rank 4, and falls with the root of the rank.
    """

    mode: FitMode = option(
        "joint",
        "fit embedding and LoRA in one loop, or in the paper's order: the embedding first",
        choices=("joint", "two-stage"),
    )
    steps: int = option(36, "largest number of optimiser steps", low=1, high=100_000, unit="steps")
    batch: int = option(2, "noise levels per step", low=1, high=64, unit="samples")
    embedding_lr: float = option(
        1e-3, "learning rate of the embedding; 0 holds it still", low=0, high=1
    )
    lora_lr: float = option(8e-4, "learning rate of the LoRA at rank 4", low=0, high=1)
    rank: int = option(4, "rank of the LoRA: larger keeps more and weighs more", low=1, high=128)
    outweigh: float = option(
        1.7,
        "stop once the adapter changes predictions this many times as much as the target does, or the "
        "caption where none is given, so that prompts are still heard; 0 runs every step",
        low=0,
        high=100,
    )
    width: int | None = option(
        None,
        "width of the canvas; default: from the image",
        kind=int,
        low=8,
        high=8192,
        unit="pixels",
    )
    height: int | None = option(
        None,
        "height of the canvas; default: from the image",
        kind=int,
        low=8,
        high=8192,
        unit="pixels",
    )
    seed: int = option(0, "seed of everything random in the fit", low=0)


@dataclass(frozen=True, kw_only=True)
class SamplingSettings(_Checked):
    """How one picture is denoised; also the settings of the img2img baseline."""

    guidance: float = option(
        4.0,
        "how strongly the prompt pulls; 1 is the bare prediction",
        low=0,
        high=50,
        usual=(1, 12),
    )
    steps: int = option(20, "denoising steps", low=1, high=1000, unit="steps", usual=(1, 50))
    negative: str = option("", "negative prompt: what to move away from")
    scheduler: SchedulerName = option(
        "dpm++",
        "name of the sampler, or 'model' for the base model's own",
        choices=get_args(SchedulerName),
    )
    width: int | None = option(
        None, "width of the picture; default: as fitted", kind=int, low=8, high=8192, unit="pixels"
    )
    height: int | None = option(
        None, "height of the picture; default: as fitted", kind=int, low=8, high=8192, unit="pixels"
    )
    seed: int = option(0, "seed of the noise", low=0)


@dataclass(frozen=True, kw_only=True)
class EditSettings(SamplingSettings):
    """How an adapter is turned into an edited picture."""

    guidance: float | None = option(  # type: ignore[assignment]  # there is nothing to find for img2img
        None,
        "how strongly the prompt pulls at alpha 1, 1 being the bare prediction; default: found, so "
        "that it pulls as far as on any model",
        kind=float,
        low=0,
        high=50,
        usual=(0, 6),
    )
    steps: int = option(12, "denoising steps", low=1, high=1000, unit="steps", usual=(1, 50))

    direction: Direction = option(
        "guided",
        "how alpha enters: a guided difference of predictions, or the paper's interpolation",
        choices=("guided", "interpolate"),
    )
    fidelity: float = option(
        1.0,
        "how exactly the input is followed where the prompt changes nothing: at 1, alpha 0 is the "
        "input itself; at 0 it is what the adapter remembers of it",
        low=0,
        high=1,
        usual=(0, 1),
    )
    focus: float = option(
        1.0,
        "how closely the edit is held to where it changes the picture the most: 0 lets everything "
        "change, more is stricter",
        low=0,
        high=4,
        usual=(0, 4),
    )
    structure_lock: float = option(
        0.0,
        "noise levels that are left out, from the top: 0 lets the layout move, 1 is the input",
        low=0,
        high=1,
        usual=(0, 0.5),
    )


SEED = dict(options(SamplingSettings))["seed"]
"""The seed of one picture, where several are asked for."""


@dataclass(frozen=True, kw_only=True)
class WorkerSettings(_Checked):
    """Who does a run where several GPUs do, and what becomes of workers that die or hang."""

    workers: int | None = option(
        None,
        "processes with a GPU each; default: this process alone, or every GPU of a cluster",
        kind=int,
        low=1,
        high=4096,
        unit="workers",
    )
    ray: str = option("", "address of a Ray cluster to work on; 'auto' is the one of this machine")
    tries: int = option(
        2, "how often a row is begun that kills its worker or makes it hang", low=1, high=100
    )
    time_limit: float = option(
        30.0, "time without a step after which a worker is replaced", low=0.01, unit="minutes"
    )

    @property
    def alone(self) -> bool:
        """Whether everything is done in this process."""
        return self.workers is None and not self.ray
