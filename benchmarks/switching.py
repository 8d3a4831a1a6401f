"""Switching adapters: ours against diffusers' hotswap and against unloading and loading.

    python -m benchmarks.switching

The UNets have the true sizes of Stable Diffusion 1.5 and XL, and made-up weights: nothing is said
about pictures. All ways take the same adapters, in one run and in turns, on the CPU. Then many
adapters are switched a thousand times, to see that memory stays flat, and the demo model shows what
a batch of adapters brings. Writes benchmarks/results/switching.json.
"""

import gc
import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.resources import files
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import psutil
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline, UNet2DConditionModel
from diffusers.utils import logging
from PIL import Image

from benchmarks.environment import describe, write_result
from imagic_lora import Adapter, EditRequest, EditSettings, FitSettings, ImagicEditor
from imagic_lora.adapters.record import FitRecord
from imagic_lora.adapters.weights import Pair, Weights, weight_shape
from imagic_lora.conditioning import Conditioning
from imagic_lora.editing.slots import Slots
from imagic_lora.models.blueprint import BLUEPRINTS
from imagic_lora.models.parts.unet import LORA_TARGETS
from imagic_lora.seeding import generator, randn

CPU = torch.device("cpu")
PIPELINES = {"sd15": StableDiffusionPipeline, "sdxl": StableDiffusionXLPipeline}
RANK = FitSettings().rank
ROUNDS = 7
"""Times that each way is timed; the median counts."""

SWITCHES, ADAPTERS = 1000, 50
BATCHES = (1, 2, 4, 8)
EDIT = EditSettings(steps=10)


def build(name: str) -> Any:
    """Return a UNet of the true size, in bfloat16, each weight a small constant."""
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(dict(BLUEPRINTS[name].networks["unet"])).bfloat16()
    unet.to_empty(device=CPU).requires_grad_(requires_grad=False).eval()
    for parameter in unet.parameters():
        parameter.fill_(0.01)
    return unet


def draw_weights(unet: Any, seed: int) -> Weights:
    """Return LoRA weights for every layer that a fit adapts, in half precision."""
    drawn, pairs = generator(seed, "weights"), {}
    for path, layer in unet.named_modules():
        shape = weight_shape(layer)
        if shape and path.endswith(tuple(f".{target}" for target in LORA_TARGETS)):
            down = randn((RANK, *shape[1:]), drawn).half()
            up = (shape[0], RANK, *(1 for _ in shape[2:]))
            pairs[path] = Pair(down, 0.01 * randn(up, drawn).half())
    return Weights.of(pairs)


def wrap(weights: Weights, unet: Any) -> Adapter:
    """Return an adapter with given weights, true in the size of everything else."""
    width, side = unet.config.cross_attention_dim, unet.config.sample_size
    record = FitRecord(
        family="sd",
        base_model="made up",
        fingerprint="0" * 16,
        prediction="epsilon",
        target="",
        source="a girl",
        width=8 * side,
        height=8 * side,
        image_sha256="0" * 64,
        settings=None,
        losses=(),
        gap=None,
        versions={},
    )
    tokens = Conditioning(torch.zeros(1, 77, width).half())
    return Adapter(weights, tokens, torch.zeros(1, 4, side, side).half(), record)


def ways(name: str, unet: Any, paths: Sequence[Path]) -> dict[str, Callable[[], None]]:
    """Return the ways to switch, each to the next of some adapters whenever it is called."""
    pipeline, slots, turn = without_other_parts(name, unet), Slots(unet), cycle(paths)
    adapters = {path: Adapter.load(path) for path in paths}
    tensors = {path: adapter.lora.named("unet.") for path, adapter in adapters.items()}

    def hold(adapter: Adapter) -> None:
        with slots.holding([adapter.lora], CPU):
            pass

    def load(source: Any, *, hotswap: bool) -> None:
        pipeline.load_lora_weights(source, adapter_name="resident", hotswap=hotswap)

    def reload(source: Any) -> None:
        pipeline.unload_lora_weights()
        load(source, hotswap=False)

    load(paths[0], hotswap=False)
    return {
        "ours": lambda: hold(adapters[next(turn)]),
        "hotswap": lambda: load(tensors[next(turn)], hotswap=True),
        "unload and load": lambda: reload(tensors[next(turn)]),
        "ours, from file": lambda: hold(Adapter.load(next(turn))),
        "hotswap, from file": lambda: load(next(turn), hotswap=True),
        "unload and load, from file": lambda: reload(next(turn)),
    }


def without_other_parts(name: str, unet: Any) -> Any:
    """Return a diffusers pipeline that has nothing but a UNet."""
    if name == "sdxl":
        return StableDiffusionXLPipeline(None, None, None, None, None, unet, None)
    return StableDiffusionPipeline(
        None, None, None, unet, None, None, None, requires_safety_checker=False
    )


def time_ways(name: str, unet: Any, folder: Path) -> dict[str, Any]:
    """Return the median milliseconds of each way, all of them timed in turns.

    It is the time of the processor, which other work on the machine does not lengthen.
    """
    paths = [folder / f"{name}-{seed}.safetensors" for seed in range(3)]
    for seed, path in enumerate(paths):
        wrap(draw_weights(unet, seed), unet).save(path)
    switches = ways(name, unet, paths)
    taken: dict[str, list[float]] = {way: [] for way in switches}
    for _ in range(ROUNDS):
        for way, switch in switches.items():
            began = time.process_time()
            switch()
            taken[way].append(1000 * (time.process_time() - began))
    return {
        "milliseconds": {way: round(statistics.median(times), 2) for way, times in taken.items()},
        "bytes_adapter": paths[0].stat().st_size,
        "layers": len(Adapter.load(paths[0]).ranks()),
    }


def switch_often(unet: Any) -> dict[str, Any]:
    """Switch among many adapters a thousand times; return the memory before, during and after."""
    first = draw_weights(unet, 0)
    adapters = [
        Weights({name: tensor + seed for name, tensor in first.items()}) for seed in range(ADAPTERS)
    ]
    slots, resident, before = Slots(unet), [], digest(unet)
    for count, weights in enumerate(islice(cycle(adapters), SWITCHES), start=1):
        with slots.holding([weights], CPU):
            pass
        if count in (ADAPTERS, SWITCHES // 2, SWITCHES):
            gc.collect()
            resident.append(psutil.Process().memory_info().rss)
    return {
        "switches": SWITCHES,
        "adapters": ADAPTERS,
        "bytes_resident": resident,
        "base_unchanged": before == digest(unet),
    }


def digest(unet: Any) -> str:
    """Return a hash of every parameter."""
    hashed = hashlib.blake2b()
    for parameter in unet.parameters():
        hashed.update(parameter.view(torch.uint8).numpy())
    return hashed.hexdigest()


def time_batches() -> dict[str, Any]:
    """Return the processor seconds for each picture of the demo model, by how many are made at a time."""
    editor = ImagicEditor.from_pretrained("demo")
    example = files("imagic_lora") / "demo" / "girl.png"
    picture = Image.open(Path(str(example)))
    fit = FitSettings(steps=1)
    requests = [
        EditRequest(adapter=editor.fit(picture, source=f"a girl {n}", target="a cat", settings=fit))
        for n in range(max(BATCHES))
    ]
    editor.edit_batch(requests[:1], settings=EDIT)
    seconds = {}
    for size in BATCHES:
        began = time.process_time()
        for start in range(0, len(requests), size):
            editor.edit_batch(requests[start : start + size], settings=EDIT)
        seconds[str(size)] = round((time.process_time() - began) / len(requests), 3)
    return {"seconds_per_picture": seconds, "steps": EDIT.steps}


def main() -> None:
    """Measure and write the result."""
    torch.set_num_threads(1)
    logging.set_verbosity_error()  # else every load says that there is no text encoder's LoRA
    result: dict[str, Any] = {"environment": describe(), "rank": RANK, "rounds": ROUNDS}
    with tempfile.TemporaryDirectory() as folder:
        for name in PIPELINES:
            unet = build(name)
            result[name] = time_ways(name, unet, Path(folder))
            print(name, result[name]["milliseconds"], flush=True)
            if name == "sd15":
                plain = build(name)
                result["often"] = switch_often(plain)
                del plain
            del unet
            gc.collect()
    result["batches"] = time_batches()
    print(f"wrote {write_result('switching', result)}")


if __name__ == "__main__":
    main()
