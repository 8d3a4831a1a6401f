"""What a GPU really takes: memory and time of every rung of the ladder, and work under a cap.

    python -m benchmarks.gpu [--only memory|time] [--models NAME ...] [--steps N] [--caps GB ...]

The models have true sizes and random weights. With a GPU, the results are gpu-memory.json and
gpu-time.json, written anew after every model, so that a run that was stopped loses none. Without one, the same code
runs on whatever `--models` names, e.g. the folder of a tiny pipeline, and only prints: memory on a
CPU is that of the whole process.
"""

import argparse
import copy
import gc
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.environment import describe, write_result
from benchmarks.figures import RUNGS
from benchmarks.slowdown import conditioning, fit_step, latents_of, random_model, seconds
from imagic_lora.editing import guidance, sampling
from imagic_lora.editing.slots import Slots
from imagic_lora.errors import ImagicError
from imagic_lora.fitting import fit as fitting
from imagic_lora.memory import MemoryPlan
from imagic_lora.memory.device import peak_bytes, total_bytes
from imagic_lora.memory.ladder import LADDER, PHASES
from imagic_lora.models.base import LatentModel
from imagic_lora.models.blueprint import Blueprint, find_blueprint
from imagic_lora.planning.counted import WORK
from imagic_lora.progress import ignore
from imagic_lora.settings import FitSettings

GUIDANCE = guidance.FIXED
Figures = dict[str, Any]


def ceiling(plan: MemoryPlan, side: int = 8192) -> float:
    """Return how many TFLOP/s one large product of matrices reaches on a device."""
    side = side if plan.device.type == "cuda" else 256
    a = torch.randn(side, side, device=plan.device, dtype=plan.dtype)
    return round(2 * side**3 / seconds(plan.device, lambda: a @ a, 10) / 1e12, 6)


def forget(device: torch.device) -> None:
    """Give back what is not in use, and count the peak from here."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def memory(device: torch.device) -> dict[str, int]:
    """Return the peaks since `forget`: of tensors, and of what the allocator reserved for them, and what is left."""
    if device.type != "cuda":
        return {"bytes_allocated": peak_bytes(device)}
    return {
        "bytes_allocated": torch.cuda.max_memory_allocated(device),
        "bytes_left": torch.cuda.memory_allocated(device),
        "bytes_reserved": torch.cuda.max_memory_reserved(device),
    }


def tried(work: Callable[[], Figures]) -> Figures:
    """Return some figures, or what stood in the way of them."""
    try:
        return work()
    except (ImagicError, RuntimeError, ImportError, OSError) as error:
        return {"failed": f"{type(error).__name__}: {error}".splitlines()[0]}


def measure_phases(model: LatentModel) -> Figures:
    """Return the memory of each phase, by the work that plans count."""
    device = model.plan.device
    found: Figures = {}
    for phase in PHASES:
        forget(device)
        WORK[phase](model)
        found[phase] = memory(device)
    return found


def measure_fit(model: LatentModel, steps: int) -> Figures:
    """Return time and arithmetic of the steps of a fit."""
    with fit_step(model, model.traits.native_size) as step:
        with FlopCounterMode(display=False) as flops:
            step()
        taken = seconds(model.plan.device, step, steps)
    tera = flops.get_total_flops() / taken / 1e12
    return {"seconds_per_step": round(taken, 4), "tflops_per_second": round(tera, 6)}


def measure_job(model: LatentModel, steps: int) -> Figures:
    """Return memory and time of the whole of a fit, an edit and a switch of adapters."""
    device = model.plan.device
    anchor, latents = conditioning(model), latents_of(model, model.traits.native_size)
    settings = FitSettings(steps=steps, outweigh=0)
    fitted: list[fitting.Fitted] = []
    slots = Slots(model.denoiser)

    def fit() -> None:
        fitted.append(fitting.fit(model, latents, anchor, settings, ignore))

    def edit() -> None:
        own = fitted[0].conditioning.to(device, torch.float32)
        target = anchor.to(device, torch.float32)
        predictor = guidance.guided(model, own, own, target, GUIDANCE)
        start = sampling.Start(latents, 1.0, (0,))
        with slots.holding([fitted[0].lora], device):
            found = sampling.denoise(
                model, model.sampler("ddim", steps, tuple(latents.shape)), predictor, start, ignore
            )
        model.decode(found)

    def switch() -> None:
        with slots.holding([fitted[0].lora], device):
            pass

    forget(device)
    times = {"seconds_fit": round(seconds(device, fit), 3)}
    times["seconds_edit"] = round(seconds(device, edit), 3)
    times["milliseconds_switch"] = round(1000 * seconds(device, switch, 5), 1)
    return {"steps": steps, **times, **memory(device)}


def measure_full(model: LatentModel, steps: int) -> Figures:
    """Return what a step takes that trains the whole denoiser, as the community pipeline does.

    Float32 weights and Adam's state for all of them, computed in half precision, the embedding
    fixed. Source: the Imagic pipeline among diffusers' community examples.
    """
    plan = model.plan
    denoiser = model.denoiser.to(plan.device, torch.float32).requires_grad_(requires_grad=True)
    optimiser = torch.optim.Adam(denoiser.parameters())
    x_t = latents_of(model, model.traits.native_size).to(plan.device)
    t = torch.full((1,), 500, device=plan.device)
    own = conditioning(model).to(plan.device, torch.float32)

    def step() -> None:
        with torch.autocast(plan.device.type, plan.dtype, enabled=plan.dtype != torch.float32):
            predicted = model.predict(x_t, t, own)
        optimiser.zero_grad()
        predicted.square().mean().backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    step()
    forget(plan.device)
    taken = seconds(plan.device, step, steps)
    return {"seconds_per_step": round(taken, 4), **memory(plan.device)}


@contextmanager
def capped(device: torch.device, gigabytes: float) -> Iterator[None]:
    """Give a GPU no more memory than a smaller one has, for the length of a block."""
    if device.type != "cuda":
        yield
        return
    forget(device)
    torch.cuda.set_per_process_memory_fraction(gigabytes * 1e9 / total_bytes(device))
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def measure_capped(model: LatentModel, gigabytes: float, steps: int) -> Figures:
    """Return what it took to do the whole job where memory really ends, no lever pulled before."""
    device = model.plan.device
    with capped(device, gigabytes):
        phases = measure_phases(model)
        job = measure_job(model, steps)
    levers = [lever.name for lever in model.plan.levers]
    return {"levers": levers, "phases": phases, "job": job}


def attentions(plan: MemoryPlan) -> Sequence[Any]:
    """Return the attention kernels that this machine has."""
    if plan.device.type == "cuda" and find_spec("xformers") is not None:
        return ("auto", "sdpa", "xformers")
    return ("auto", "sdpa")


def measure_attention(model: LatentModel, name: Any) -> Figures:
    """Return the time of a fit's step with an attention kernel."""
    before = model.plan
    model.replan(replace(before, micro_batch=1, attention=name))
    try:
        with fit_step(model, model.traits.native_size) as step:
            step()
            return {"seconds_per_step": round(seconds(before.device, step, 3), 4)}
    finally:
        model.replan(before)


def climbed(model: LatentModel, work: Callable[[LatentModel], Figures]) -> Figures:
    """Return the figures of every rung; the model ends with every lever pulled."""
    base, rows = model.plan, {}
    for rung, name in enumerate(RUNGS):
        model.replan(base.climb(LADDER[:rung]))
        rows[name] = tried(partial(work, model))
        print(f"{model.traits.name}, {name}: {json.dumps(rows[name])}", flush=True)
    return rows


def measure_memory(blueprint: Blueprint, base: MemoryPlan, options: argparse.Namespace) -> Figures:
    """Return what one model needs: rung by rung, and where memory really ends.

    Args:
        blueprint: The model.
        base: Device and precision, no lever pulled.
        options: The command line's.
    """
    model, under = random_model(blueprint, base), {}
    for cap in options.caps:
        # Levers that round nothing: the same weights serve what is measured after them.
        under[f"{cap:g} GB"] = tried(partial(measure_capped, model, cap, options.steps))
        print(f"{blueprint.name}, {cap:g} GB: {json.dumps(under[f'{cap:g} GB'])}", flush=True)
    del model  # or its denoiser would lie on the device beside the next
    return {"capped": under, "phases": climbed(random_model(blueprint, base), measure_phases)}


def measure_time(blueprint: Blueprint, base: MemoryPlan, options: argparse.Namespace) -> Figures:
    """Return how long one model takes: by kernels, rung by rung, and beside a whole fine-tuning.

    Args:
        blueprint: The model.
        base: Device and precision, no lever pulled.
        options: The command line's.
    """
    model, steps = random_model(blueprint, base), options.steps
    return {
        "attention": {
            name: tried(partial(measure_attention, model, name)) for name in attentions(base)
        },
        "whole_denoiser": tried(partial(measure_full, copy.deepcopy(model), steps)),
        "ladder": climbed(
            model, lambda one: {**measure_fit(one, steps), "job": measure_job(one, steps)}
        ),
    }


KINDS = {"memory": measure_memory, "time": measure_time}


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=KINDS, help="one of the two")
    parser.add_argument("--models", nargs="+", default=["sd15", "sdxl"], metavar="NAME")
    parser.add_argument("--steps", type=int, default=5, help="steps that each figure is taken from")
    parser.add_argument("--caps", type=float, nargs="*", default=[8.0], metavar="GB")
    options = parser.parse_args(arguments)
    plan = MemoryPlan.automatic()
    for kind in [options.only] if options.only else KINDS:
        result: Figures = {
            "environment": describe(plan.device.type),
            "ceiling_tflops_per_second": ceiling(plan),
            "steps": options.steps,
            "models": {},
        }
        for blueprint in map(find_blueprint, options.models):
            result["models"][blueprint.name] = KINDS[kind](blueprint, plan, options)
            if plan.device.type == "cuda":
                print(f"wrote {write_result(f'gpu-{kind}', result)}", flush=True)
        if plan.device.type != "cuda":
            print(json.dumps({kind: result}, indent=2))


if __name__ == "__main__":
    main()
