"""How much longer each lever makes its phases, side by side in one run at true sizes.

    python -m benchmarks.slowdown [--model NAME] [--side PIXELS] [--rounds N]

The model has random weights, which take as long as trained ones. Every round times every rung of
the ladder once, so that whatever else the machine does falls on all of them; the fastest time of
each counts. Beside them stand fits and samples with weights laid out channels last. The ratios go
to benchmarks/results/slowdown.json.
"""

import argparse
import copy
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

import torch

from benchmarks.environment import describe, write_result
from imagic_lora.conditioning import Conditioning
from imagic_lora.fitting import fit as fitting
from imagic_lora.memory import MemoryPlan
from imagic_lora.memory.ladder import LADDER, Phase
from imagic_lora.models.base import LatentModel
from imagic_lora.models.blueprint import Blueprint, find_blueprint
from imagic_lora.settings import FitSettings

SETTINGS = FitSettings(batch=2)
"""The smallest batch that can be worked on in parts."""

Work = Callable[[LatentModel, int], AbstractContextManager[Callable[[], object]]]
"""From a model and the side of a canvas to what is timed, set up for the length of a block."""


def random_model(blueprint: Blueprint, plan: MemoryPlan) -> LatentModel:
    """Return a model of true size, its weights drawn as if it were about to be trained."""
    model = blueprint.build(plan)
    draws = torch.Generator(plan.device).manual_seed(0)
    for part in model.networks.all():
        # Where the work will be: drawing billions of weights takes a CPU minutes.
        part.to_empty(device=plan.device)
        for tensor in (*part.parameters(), *part.buffers()):
            if tensor.is_floating_point():
                bound = max(1, tensor[0].numel()) ** -0.5 if tensor.dim() else 1.0
                tensor.data.uniform_(-bound, bound, generator=draws)
            else:
                tensor.data.zero_()
        part.to("cpu")
    return model


def conditioning(model: LatentModel) -> Conditioning:
    """Return a conditioning of a model's widths."""
    traits = model.traits
    pooled = None if traits.pooled_width is None else torch.zeros(1, traits.pooled_width)
    return Conditioning(torch.zeros(1, traits.token_count, traits.token_width), pooled)


def latents_of(model: LatentModel, side: int) -> torch.Tensor:
    """Return latents of a square canvas."""
    traits = model.traits
    rows = side // traits.latent_factor
    shape = (1, traits.latent_channels, rows, rows)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@contextmanager
def fit_step(model: LatentModel, side: int) -> Iterator[Callable[[], object]]:
    """Give one optimiser step of a fit."""
    inputs = latents_of(model, side), conditioning(model)
    with fitting.rehearsal(model, *inputs, SETTINGS) as step:
        yield step


@contextmanager
def sample_step(model: LatentModel, side: int) -> Iterator[Callable[[], object]]:
    """Give one guided step of denoising."""
    device = model.plan.device
    x_t = latents_of(model, side).to(device).repeat(2, 1, 1, 1)
    t = torch.full((2,), 500, device=device)
    both = conditioning(model).to(device, torch.float32).repeat(2)
    with model.plan.denoising(model.denoiser), torch.no_grad():
        yield lambda: model.predict(x_t, t, both)


@contextmanager
def decoding(model: LatentModel, side: int) -> Iterator[Callable[[], object]]:
    """Give the decoding of one picture."""
    yield lambda: model.decode(latents_of(model, side))


@contextmanager
def encoding(model: LatentModel, side: int) -> Iterator[Callable[[], object]]:
    """Give the encoding of one picture."""
    yield lambda: model.encode_image(torch.zeros(1, 3, side, side))


WORK: dict[Phase, Work] = {
    "fit": fit_step,
    "sample": sample_step,
    "image encode": encoding,
    "decode": decoding,
}
"""What is timed; encoding a prompt takes too little to be."""


def seconds(device: torch.device, work: Callable[[], object], repeat: int = 1) -> float:
    """Return the fastest of some runs of a piece of work, in seconds."""
    found = []
    for _ in range(repeat):
        _synchronise(device)
        began = time.perf_counter()
        work()
        _synchronise(device)
        found.append(time.perf_counter() - began)
    return min(found)


def timed(work: Work, model: LatentModel, side: int) -> float:
    """Return how many seconds a piece of work takes, but for setting it up."""
    with work(model, side) as step:
        return seconds(model.plan.device, step)


def _synchronise(device: torch.device) -> None:
    """Wait until a device has done all it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


LAYOUT = "channels last"
LAID_OUT: tuple[Phase, ...] = ("fit", "sample")
"""What is timed with another layout of the denoiser's weights too, at no lever."""


def rungs(phase: Phase) -> dict[str, int]:
    """Return the rungs of the ladder that change the time of a phase, by the name of their lever.

    Taking the denoiser off the device is left out: it is done once and not in a loop, and on a CPU
    there is nowhere to take it.
    """
    levers = enumerate(LADDER, 1)
    acting = {one.name: n for n, one in levers if phase in one.slower and one.name != "offload"}
    return {"no lever": 0, **acting}


def measure(
    blueprint: Blueprint, plan: MemoryPlan, side: int, rounds: int
) -> dict[Phase, dict[str, list[float]]]:
    """Return the seconds of every phase on every rung that acts on it, round by round.

    Args:
        blueprint: The model.
        plan: Device and precision, no lever pulled.
        side: Side of the canvas, in pixels.
        rounds: How often each is timed.
    """
    plain = random_model(blueprint, plan)
    models = {store: copy.deepcopy(plain) for store in ((True, False), (True, True))}
    models[False, False] = plain
    laid_out = copy.deepcopy(plain)
    laid_out.denoiser.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    taken: dict[Phase, dict[str, list[float]]] = {phase: {} for phase in WORK}

    def note(phase: Phase, name: str, found: float) -> None:
        print(f"{phase}, {name}: {found:.2f} s", flush=True)
        taken[phase].setdefault(name, []).append(round(found, 3))

    for _ in range(rounds):
        for phase, work in WORK.items():
            for name, rung in rungs(phase).items():
                current = plan.climb(LADDER[:rung])
                # What is rounded or streamed stays so: each has a model of its own.
                model = models[current.eight_bit, current.streaming]
                model.replan(current)
                note(phase, name, timed(work, model, side))
        for phase in LAID_OUT:
            note(phase, LAYOUT, timed(WORK[phase], laid_out, side))
    return taken


def ratios(taken: Mapping[str, list[float]]) -> dict[str, float]:
    """Return how many times longer each rung takes than the one below it, by its lever.

    Another layout of the weights is held against no lever.
    """
    fastest = {name: min(found) for name, found in taken.items()}
    names = [name for name in fastest if name != LAYOUT]
    pairs = list(zip(names[1:], names, strict=False))
    pairs += [(LAYOUT, names[0])] if LAYOUT in fastest else []
    return {name: round(fastest[name] / fastest[below], 2) for name, below in pairs}


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="sd15", help="sd15, sd21, sdxl or a pipeline folder")
    parser.add_argument("--side", type=int, default=512, help="side of the canvas, in pixels")
    parser.add_argument("--rounds", type=int, default=2, help="how often each is timed")
    args = parser.parse_args()
    plan = MemoryPlan.automatic()
    taken = measure(find_blueprint(args.model), plan, args.side, args.rounds)
    result = {
        "environment": describe(plan.device.type),
        "settings": {"model": args.model, "side": args.side, "rounds": args.rounds},
        "seconds": taken,
        "slower": {phase: ratios(found) for phase, found in taken.items()},
    }
    print(f"wrote {write_result('slowdown', result)}")


if __name__ == "__main__":
    main()
