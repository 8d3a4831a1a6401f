"""What a GPU really takes: memory and time of every rung of the ladder, against what was predicted.

    python -m benchmarks.gpu [--models NAME ...] [--steps N] [--side PIXELS]

The models have true sizes and random weights. With a GPU, the result is benchmarks/results/gpu.json.
Without one, the same code runs on whatever `--models` names, e.g. the folder of a tiny pipeline, and
only prints: memory on a CPU is that of the whole process.
"""

import argparse
import copy
import gc
import json
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.environment import describe, write_result
from benchmarks.slowdown import conditioning, fit_step, latents_of, random_model, seconds
from imagic_lora.editing import guidance, sampling
from imagic_lora.editing.slots import Slots
from imagic_lora.fitting import fit as fitting
from imagic_lora.memory import MemoryPlan, footprints
from imagic_lora.memory.device import peak_bytes
from imagic_lora.memory.ladder import LADDER
from imagic_lora.models.base import LatentModel
from imagic_lora.models.blueprint import Blueprint, find_blueprint
from imagic_lora.progress import ignore
from imagic_lora.settings import EditSettings, FitSettings

GUIDANCE = EditSettings().guidance


def ceiling(plan: MemoryPlan, side: int = 4096) -> float:
    """Return how many TFLOP/s one large product of matrices reaches on a device."""
    side = side if plan.device.type == "cuda" else 256
    a = torch.ones(side, side, device=plan.device, dtype=plan.dtype)
    return round(2 * side**3 / seconds(plan.device, lambda: a @ a, 10) / 1e12, 6)


def forget(device: torch.device) -> None:
    """Give back what is not in use, and count the peak from here."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def memory(device: torch.device) -> dict[str, int]:
    """Return the peaks since `forget`: of tensors, and of what the allocator reserved for them."""
    if device.type != "cuda":
        return {"bytes_allocated": peak_bytes(device)}
    return {
        "bytes_allocated": torch.cuda.max_memory_allocated(device),
        "bytes_reserved": torch.cuda.max_memory_reserved(device),
    }


def measure_fit(model: LatentModel, side: int, steps: int) -> dict[str, Any]:
    """Return memory, time and arithmetic of the steps of a fit."""
    device = model.plan.device
    forget(device)
    with fit_step(model, side) as step:
        with FlopCounterMode(display=False) as flops:
            step()
        forget(device)
        taken = seconds(device, step, steps)
        peaks = memory(device)
    tera = flops.get_total_flops() / taken / 1e12
    return {**peaks, "seconds_per_step": round(taken, 4), "tflops_per_second": round(tera, 6)}


def measure_job(model: LatentModel, side: int, steps: int) -> dict[str, Any]:
    """Return memory and time of the whole of a fit, an edit and a switch of adapters."""
    device = model.plan.device
    anchor, latents = conditioning(model), latents_of(model, side)
    settings = FitSettings(steps=steps, stop_at=0)
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


def measure_full_unet(model: LatentModel, side: int, steps: int) -> dict[str, Any]:
    """Return what a step takes that trains the whole UNet, as the community pipeline does.

    Float32 weights and Adam's state for all of them, computed in half precision, the embedding
    fixed. Source: the Imagic pipeline among diffusers' community examples.
    """
    plan = model.plan
    unet = model.denoiser.to(plan.device, torch.float32).requires_grad_(requires_grad=True)
    optimiser = torch.optim.Adam(unet.parameters())
    x_t = torch.zeros(1, 4, side // 8, side // 8, device=plan.device)
    t, own = (
        torch.full((1,), 500, device=plan.device),
        conditioning(model).to(plan.device, torch.float32),
    )

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


def measure(blueprint: Blueprint, base: MemoryPlan, side: int | None, steps: int) -> dict[str, Any]:
    """Return everything about one model.

    Args:
        blueprint: The model.
        base: Device and precision, no lever pulled.
        side: Side of the canvas, in pixels; None is the model's own.
        steps: Steps that each figure is taken from.
    """
    known = footprints().get(blueprint.name)
    plain = random_model(blueprint, base)
    rows = {}
    for rung, name in enumerate(["no lever", *(lever.name for lever in LADDER)]):
        plan = base.climb(LADDER[:rung])
        # A copy, since what is rounded or streamed stays so.
        model = copy.deepcopy(plain)
        model.replan(plan)
        canvas = side or model.traits.native_size
        predicted = None if known is None else known.predicted_bytes("fit", rung)
        rows[name] = {"bytes_predicted": predicted, **measure_fit(model, canvas, steps)}
        rows[name]["job"] = measure_job(model, canvas, steps)
        print(f"{blueprint.name}, {name}: {json.dumps(rows[name])}", flush=True)
    kernels = {name: attention_time(plain, base, name, canvas) for name in attentions(base)}
    full = measure_full_unet(plain, canvas, steps)
    return {"side": canvas, "ladder": rows, "full_unet": full, "attention": kernels}


def attentions(plan: MemoryPlan) -> Sequence[Any]:
    """Return the attention kernels that this machine has."""
    if plan.device.type == "cuda" and find_spec("xformers") is not None:
        return ("auto", "sdpa", "xformers")
    return ("auto", "sdpa")


def attention_time(model: LatentModel, base: MemoryPlan, name: Any, side: int) -> float:
    """Return the seconds of a fit's step with an attention kernel."""
    model.replan(replace(base, micro_batch=1, attention=name))
    with fit_step(model, side) as step:
        step()
        return round(seconds(base.device, step, 3), 4)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["sd15", "sdxl"], metavar="NAME")
    parser.add_argument("--steps", type=int, default=5, help="steps that each figure is taken from")
    parser.add_argument("--side", type=int, help="side of the canvas; default: the model's own")
    options = parser.parse_args(arguments)
    plan = MemoryPlan.automatic()
    blueprints = [find_blueprint(name) for name in options.models]
    result = {
        "environment": describe(plan.device.type),
        "ceiling_tflops_per_second": ceiling(plan),
        "models": {one.name: measure(one, plan, options.side, options.steps) for one in blueprints},
    }
    if plan.device.type == "cuda":
        print(f"wrote {write_result('gpu', result)}")
    else:
        print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
