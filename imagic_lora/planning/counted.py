"""Counting what each phase of a job needs, or looking up what was counted before.

Counting runs the real code at the real size on tensors without data, phase by phase. It needs no
weights and no GPU; for the largest models it takes a few minutes.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain

import torch

from imagic_lora.adapters.weights import Weights
from imagic_lora.conditioning import Conditioning
from imagic_lora.editing import guidance, sampling
from imagic_lora.editing.slots import Slots
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
from imagic_lora.memory.ladder import LADDER, PHASES, Phase
from imagic_lora.memory.levers.host import host_memory
from imagic_lora.models.base import LatentModel
from imagic_lora.models.blueprint import BLUEPRINTS, Blueprint
from imagic_lora.progress import OnProgress, Ticker, ignore
from imagic_lora.settings import FitSettings

_GUIDANCE = 4.0


def known_footprint(blueprint: Blueprint) -> Footprint | None:
    """Return the footprint of a model that was counted before."""
    for known in chain(*(each.variants() for each in BLUEPRINTS.values())):
        if known.name in footprints() and known.same_networks(blueprint):
            return footprints()[known.name]
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
    counted = counting(on_progress, len(PHASES) + sum(len(lever.slower) for lever in LADDER))
    rungs = [count(blueprint, plan, PHASES, counted)]
    for lever in LADDER:
        if max(map(predict, rungs[-1].values())) <= enough:
            rungs.append(rungs[-1])
            continue
        plan = plan.climb((lever,))
        phases = tuple(phase for phase in PHASES if phase in lever.slower)
        rungs.append({**rungs[-1], **count(blueprint, plan, phases, counted)})
    return Footprint(blueprint.name, {phase: [rung[phase] for rung in rungs] for phase in PHASES})


def counting(on_progress: OnProgress, steps: int) -> Ticker:
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
    model = blueprint.build(replace(plan, eight_bit=False, streaming=False, stream_text=False))
    lora.load()
    with pretending():
        for part in model.networks.all():
            pretend(part)
        model.replan(plan)
        found: dict[Phase, int] = {}
        for phase in phases:
            found[phase] = _count_phase(model, WORK[phase], phase)
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
    # Of the second, streamed layers are fetched ahead.
    model.encode_prompt("a prompt", "another")


def _encode_image(model: LatentModel) -> None:
    side = model.traits.native_size
    model.encode_image(torch.zeros(1, 3, side, side))


def _fit(model: LatentModel) -> None:
    inputs = _latents(model), _conditioning(model)
    with fitting.rehearsal(model, *inputs, FitSettings()) as step:
        step()


def _sample(model: LatentModel) -> None:
    given = _conditioning(model).to(model.plan.device, torch.float32)
    own, target = given, given.map(torch.clone)
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


WORK: dict[Phase, Callable[[LatentModel], None]] = {
    "text encode": _encode_text,
    "image encode": _encode_image,
    "fit": _fit,
    "sample": _sample,
    "decode": _decode,
}
"""What stands for each phase: the real code, at a model's own size."""


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
