"""What a job needs, found before it runs: from counted figures, or counted on the spot.

Counting runs the real code at the real size on tensors without data, phase by phase. It needs no
weights and no GPU; for the largest models it takes a few minutes.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from imagic_lora.adapters.weights import Weights
from imagic_lora.conditioning import Conditioning
from imagic_lora.editing import guidance, sampling
from imagic_lora.editing.slots import Slots
from imagic_lora.errors import DeviceError, ModelError, near_match
from imagic_lora.fitting import fit as fitting
from imagic_lora.fitting import lora
from imagic_lora.memory import (
    Footprint,
    MemoryPlan,
    footprints,
    peak_bytes,
    predict,
)
from imagic_lora.memory.counting import ByteCounter, pretend, pretending
from imagic_lora.memory.device import free_bytes, total_bytes
from imagic_lora.memory.ladder import LADDER, PHASES, Phase
from imagic_lora.memory.levers.attention import check_attention
from imagic_lora.memory.levers.host import host_memory
from imagic_lora.models.base import LatentModel
from imagic_lora.models.blueprint import BLUEPRINTS, Blueprint, find_blueprint
from imagic_lora.progress import OnProgress, Ticker, ignore
from imagic_lora.settings import Attention, FitSettings
from imagic_lora.units import gigabytes, parse_size

_GUIDANCE = 4.0


@dataclass(frozen=True)
class Forecast:
    """What a model needs under a plan.

    Attributes:
        model: Name of the model.
        budget_bytes: What it may take, or None where no limit was given.
        plan: The plan.
        phases: One row for each phase, as `MemoryPlan.explain` makes them.
    """

    model: str
    budget_bytes: int | None
    plan: MemoryPlan
    phases: list[Mapping[str, Any]]

    def record(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        names = ("name", "levers", "counted_bytes", "predicted_bytes")
        phases = [{name: row[name] for name in names} for row in self.phases]
        return {"model": self.model, "budget_bytes": self.budget_bytes, "phases": phases}

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Return each phase with what it needs, how much slower it gets, and its levers."""
        return [
            (
                row["name"],
                gigabytes(row["predicted_bytes"]),
                f"{row['slower']:g}x",
                ", ".join(row["levers"]) or "-",
            )
            for row in self.phases
        ]

    def table(self) -> str:
        """Return it as a table for people."""
        rows = [("phase", "needs", "slower", "levers"), *self.rows()]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        return "\n".join(
            "  ".join(
                [*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]
            )
            for row in rows
        )


def forecast(
    model: str | Path,
    memory: str | int,
    *,
    exact: bool = False,
    on_progress: OnProgress = ignore,
) -> Forecast:
    """Return what a model needs on a CUDA device within a budget; nothing is loaded.

    Args:
        model: "sd15", "sd21", "sdxl", a pipeline folder, a Hub name, or a checkpoint.
        memory: Budget: a size such as "6GB", or bytes.
        exact: Count the plan again now instead of reading what was counted before.
        on_progress: Called after every phase that is counted now.

    Raises:
        ModelError: When there is no such model.
        SettingsError: When the budget is no size.
        DeviceError: When the budget is below what any plan needs.
    """
    blueprint = _named_or_found(model)
    budget = parse_size(memory)
    known = _known(blueprint)
    found = known or count_ladder(blueprint, budget, on_progress)
    plan = MemoryPlan.for_budget(budget, found)
    rows = plan.explain(found)
    if exact and known:
        counted = count(blueprint, plan, PHASES, _counting(on_progress, len(PHASES)))
        rows = [
            {**row, "counted_bytes": found, "predicted_bytes": predict(found)}
            for row, found in zip(rows, counted.values(), strict=True)
        ]
    return Forecast(blueprint.name, budget, plan, rows)


def _named_or_found(model: str | Path) -> Blueprint:
    """Return a model's blueprint; where there is none, say which names need no download."""
    try:
        return find_blueprint(model)
    except ModelError as error:
        names = ", ".join(repr(name) for name in BLUEPRINTS)
        hint = near_match(str(model), BLUEPRINTS)
        raise ModelError(f"{error} Known without a download are {names}.{hint}") from error


def outlook(model: str | Path, plan: MemoryPlan) -> Forecast | None:
    """Return what a model needs under a plan, or None where it was not counted before.

    Args:
        model: The model, by any of its names.
        plan: The plan that it works by.
    """
    known = _known(find_blueprint(model))
    return None if known is None else Forecast(known.model, None, plan, plan.explain(known))


def choose(
    model: str | Path,
    memory: MemoryPlan | str | int,
    device: str | None,
    attention: Attention = "auto",
) -> MemoryPlan:
    """Return the plan for a model on a device of this machine.

    Args:
        model: What is about to be loaded.
        memory: "auto" (what the device has free), a size such as "8GB", bytes, or a plan.
        device: A torch device; default: a GPU where there is one.
        attention: Kernel of the denoiser's attention.

    Raises:
        SettingsError: When the memory is no size, or there is no such attention.
        DeviceError: When the device is missing, has less than that, is too small, or cannot run
            that attention.
        MissingExtraError: When the attention is a package's that is not installed.
    """
    if isinstance(memory, MemoryPlan):
        check_attention(memory.attention, memory.device)
        return memory
    base = MemoryPlan.automatic(device, attention)
    check_attention(attention, base.device)
    if memory == "auto":
        known = _known(find_blueprint(model))
        if known is None:
            return base
        return MemoryPlan.for_budget(free_bytes(base.device), known, base)
    budget = parse_size(memory)
    if budget > total_bytes(base.device):
        raise DeviceError(
            f"{gigabytes(budget)} of memory were asked for, and the device {str(base.device)!r} "
            f"has {gigabytes(total_bytes(base.device))}; ask for less, or for 'auto'."
        )
    blueprint = find_blueprint(model)
    # What is counted is half precision.
    found = _known(blueprint) or count_ladder(blueprint, 2 * budget // base.dtype.itemsize)
    return MemoryPlan.for_budget(budget, found, base)


def _known(blueprint: Blueprint) -> Footprint | None:
    """Return the footprint of a model that was counted before."""
    for name, found in footprints().items():
        if BLUEPRINTS[name].same_networks(blueprint):
            return found
    return None


def count_ladder(blueprint: Blueprint, enough: int, on_progress: OnProgress = ignore) -> Footprint:
    """Count a model rung by rung up the ladder; a phase only where a lever acts on it.

    Args:
        blueprint: The model.
        enough: Rungs above the first that needs no more than this, in bytes, are not counted, and
            taken to need as much.
        on_progress: Called after every phase.
    """
    plan = MemoryPlan(torch.device("cpu"), torch.bfloat16)
    counted = _counting(on_progress, len(PHASES) + sum(len(lever.slower) for lever in LADDER))
    rungs = [count(blueprint, plan, PHASES, counted)]
    for lever in LADDER:
        if max(map(predict, rungs[-1].values())) <= enough:
            rungs.append(rungs[-1])
            continue
        plan = plan.climb((lever,))
        phases = tuple(phase for phase in PHASES if phase in lever.slower)
        rungs.append({**rungs[-1], **count(blueprint, plan, phases, counted)})
    return Footprint(blueprint.name, {phase: [rung[phase] for rung in rungs] for phase in PHASES})


def _counting(on_progress: OnProgress, steps: int) -> Ticker:
    """Return what is to be called after every phase that was counted."""
    return Ticker("count", steps, on_progress, partial(peak_bytes, torch.device("cpu")))


def count(
    blueprint: Blueprint,
    plan: MemoryPlan,
    phases: tuple[Phase, ...] = PHASES,
    counted: Callable[[], None] = lambda: None,
) -> dict[Phase, int]:
    """Return the most bytes that the tensors of each phase take under a plan.

    Args:
        blueprint: The model.
        plan: The plan; its device is taken to be one with memory of its own.
        phases: Which phases to count.
        counted: Called after every phase.
    """
    # The CPU stands for the device: fake tensors on a GPU need a build of PyTorch for it.
    plan = replace(plan, device=torch.device("cpu"), dtype=torch.bfloat16, attention="auto")
    model = blueprint.build(replace(plan, eight_bit=False, streaming=False))
    lora.load()
    with pretending():
        for part in model.networks.all():
            pretend(part)
        model.replan(plan)
        found: dict[Phase, int] = {}
        for phase in phases:
            found[phase] = _count_phase(model, _WORK[phase], phase)
            counted()
        return found


def _count_phase(model: LatentModel, work: Callable[[LatentModel], object], phase: Phase) -> int:
    """Return the peak of one phase, what stays on the device beside it included."""
    counter = ByteCounter()
    with counter:
        for part in _on_device(model, phase):
            counter.hold_module(part)
        work(model)
    return counter.peak


def _on_device(model: LatentModel, phase: Phase) -> Iterator[torch.nn.Module]:
    """Yield the parts of a model that are on the device in a phase."""
    networks = model.networks
    loop = phase in ("fit", "sample")
    if loop or not model.plan.offload_denoiser:
        yield networks.denoiser
    if phase == "text encode":
        yield from networks.encoders
    elif not loop:
        yield networks.autoencoder


def _encode_text(model: LatentModel) -> None:
    model.encode_prompt("a prompt")


def _encode_image(model: LatentModel) -> None:
    side = model.traits.native_size
    model.encode_image(torch.zeros(1, 3, side, side))


def _fit(model: LatentModel) -> None:
    # From the second sample on, a step holds the gradient of the ones before: two are like four.
    settings = FitSettings(batch=4 if model.plan.micro_batch > 1 else 2)
    inputs = _latents(model), _conditioning(model)
    with fitting.rehearsal(model, *inputs, settings) as step:
        step()


def _sample(model: LatentModel) -> None:
    own, target = _conditioning(model), _conditioning(model)
    predictor = guidance.classifier_free(model, own, target, _GUIDANCE)
    start = sampling.Start(_latents(model), 1.0, (0,))
    # The adapter comes from a file.
    with host_memory():
        weights = _adapter(model)
    with Slots(model.denoiser).holding([weights], model.plan.device):
        sampler = model.sampler("ddim", 2, tuple(start.latents.shape))
        sampling.denoise(model, sampler, predictor, start, ignore)


def _adapter(model: LatentModel) -> Weights:
    """Return LoRA weights as a fit of the default rank learns them."""
    targets, rank = model.traits.lora_targets, FitSettings().rank
    lora.inject(model.denoiser, targets, rank, torch.Generator())
    try:
        return lora.read(model.denoiser)
    finally:
        lora.eject(model.denoiser)


def _decode(model: LatentModel) -> None:
    model.decode(_latents(model))


_WORK: dict[Phase, Callable[[LatentModel], None]] = {
    "text encode": _encode_text,
    "image encode": _encode_image,
    "fit": _fit,
    "sample": _sample,
    "decode": _decode,
}


def _latents(model: LatentModel) -> torch.Tensor:
    """Return latents of the model's own canvas."""
    traits = model.traits
    side = traits.native_size // traits.latent_factor
    return torch.zeros(1, traits.latent_channels, side, side)


def _conditioning(model: LatentModel) -> Conditioning:
    """Return a conditioning of the model's widths, as long as its prompts can be."""
    traits = model.traits
    tokens = torch.zeros(1, traits.token_count, traits.token_width)
    pooled = None if traits.pooled_width is None else torch.zeros(1, traits.pooled_width)
    return Conditioning(tokens, pooled)
