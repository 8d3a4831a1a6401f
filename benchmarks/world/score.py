"""Scores a world's model and judge: `python -m benchmarks.world.score [WORLD]`.

Writes `world.json`, `world-photos.json` or `world-flow.json` to `benchmarks/results`, and contact sheets beside it.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count() or 1))

import torch
from PIL import Image
from torch import nn

from benchmarks.environment import RESULTS, describe
from benchmarks.world import sheets
from benchmarks.world.autoencoder import reconstruct, to_tensor
from benchmarks.world.data import draw_all, held_out_portraits
from benchmarks.world.drawing import draw
from benchmarks.world.judge import Judge, load_judge
from benchmarks.world.measures import (
    found_figures,
    generate,
    judged,
    mixed_requests,
    reconstruction_figures,
    terse_requests,
)
from benchmarks.world.pipeline import folder_bytes, load_pipeline
from benchmarks.world.worlds import DRAWN, WORLDS, World

GUIDANCES = (2.0, 3.0, 4.5, 6.0)
STEPS = 25
SEED = 0
TUNING, REPORTING = 0, 100_000
"""Held-out portraits from these numbers on choose the guidance and give the figures."""


def text_figures(
    pipeline: Any, judge: Judge, tuning: int, count: int
) -> tuple[dict[str, Any], Image.Image]:
    """Choose the guidance on some prompts, then measure it on others; also a contact sheet.

    What a prompt says is the same in every world, so that plain portraits will do for it.
    """
    requests = mixed_requests(held_out_portraits(tuning, TUNING), SEED)
    prompts = [request.prompt for request in requests]
    lowest: dict[str, dict[str, float]] = {}
    for guidance in GUIDANCES:
        pictures = generate(pipeline, prompts, guidance, STEPS, SEED)
        found = found_figures(judge, pictures, requests)
        mean = sum(found["by_attribute"].values()) / len(found["by_attribute"])
        lowest[str(guidance)] = {"mean": round(mean, 4), "lowest": found["lowest"]}
        print(f"guidance {guidance}: {lowest[str(guidance)]}", flush=True)
    best = max(GUIDANCES, key=lambda guidance: lowest[str(guidance)]["mean"])
    half = held_out_portraits(count, REPORTING)
    requests = terse_requests(half[: count // 2]) + mixed_requests(half[count // 2 :], SEED)
    pictures = generate(pipeline, [r.prompt for r in requests], best, STEPS, SEED + REPORTING)
    figures = found_figures(judge, pictures, requests)
    shown = [*range(20), *range(count // 2, count // 2 + 20)]
    page = sheets.prompts_sheet(pictures[shown], [requests[i].prompt for i in shown])
    settings = {"guidance": best, "steps": STEPS, "prompts": count, "tuning_prompts": tuning}
    return {**settings, "guidances": lowest, "found_when_named": figures}, page


def seconds_per_picture(pipeline: Any, threads: int) -> float:
    """Time of one picture with guidance, alone in its batch: the best of three."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    times = []
    for _ in range(3):
        started = time.perf_counter()
        generate(pipeline, ["a girl with a flower"], 3.0, STEPS, SEED)
        times.append(time.perf_counter() - started)
    torch.set_num_threads(before)
    return round(min(times), 2)


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("world", nargs="?", choices=WORLDS, default=next(iter(WORLDS)))
    parser.add_argument("--model", type=Path, help="another folder than the world's own")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--pictures", type=int, default=1000, help="held-out drawings")
    parser.add_argument("--prompts", type=int, default=480, help="prompts for the figures")
    parser.add_argument("--tuning", type=int, default=96, help="prompts that choose the guidance")
    options = parser.parse_args(arguments)
    started = time.perf_counter()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    world = WORLDS[options.world]
    folder = options.model or world.model
    pipeline, judge = load_pipeline(folder, device), load_judge(world.weights)
    portraits = held_out_portraits(options.pictures, REPORTING, photographed=world.photographed)
    pictures = draw_all(portraits, processes=os.cpu_count() or 1)
    text, page = text_figures(pipeline, judge, options.tuning, options.prompts)
    result = {
        "vae": reconstruction_figures(pipeline, judge, pictures, portraits),
        "judge": judged(judge, to_tensor(pictures), portraits),
        "text_to_image": text,
        "model": {
            "bytes": folder_bytes(folder),
            "parameters": {
                name: sum(p.numel() for p in part.parameters())
                for name, part in pipeline.components.items()
                if isinstance(part, nn.Module)
            },
            "seconds_per_picture_one_thread": seconds_per_picture(pipeline, threads=1),
        },
        "settings": {"seed": SEED, "held_out_drawings": len(portraits), "held_out_from": REPORTING},
        "environment": describe(device),
        "seconds": 0.0,
    }
    result["seconds"] = round(time.perf_counter() - started, 1)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"world{_suffix(world)}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    _write_sheets(pipeline, page, world, options.out)
    print(f"wrote {path}")


def _suffix(world: World) -> str:
    """Return what the names of a world's files end with: nothing for the one that is shown."""
    return "" if world == DRAWN else f"-{world.name}"


def _write_sheets(pipeline: Any, text_page: Image.Image, world: World, folder: Path) -> None:
    photographed = world.photographed
    portraits = held_out_portraits(16, REPORTING, photographed=photographed)
    outputs = reconstruct(pipeline.vae, draw_all(portraits))
    pages = {
        "drawings": sheets.drawings_sheet(photographed=photographed),
        "values": sheets.values_sheet(portraits[0].look),
        "reconstructions": sheets.reconstructions_sheet([draw(p) for p in portraits], outputs),
        "text-to-image": text_page,
    }
    for name, page in pages.items():
        # A palette of 256 colours keeps the sheets small in the repository.
        page.quantize(256).save(folder / f"world{_suffix(world)}-{name}.png", optimize=True)


if __name__ == "__main__":
    main()
