"""How long an edit takes beside a plain text-to-image of the same model.

    python -m benchmarks.pace

Seconds mean little from one machine to the next, ratios more. So of each world some pictures are
drawn from their target alone, with classifier-free guidance in thirty steps, edited, and edited at
another strength, one after the other in one run; the median of the ratios counts. Edits that take
other numbers of passes are told apart. Writes benchmarks/results/pace.json.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from benchmarks.edits.methods import Bench
from benchmarks.edits.worlds import PORTRAITS
from benchmarks.environment import describe, write_result
from benchmarks.world.worlds import WORLDS, World
from imagic_lora import EditRequest, EditSettings, SamplingSettings
from imagic_lora.bench.items import Item
from imagic_lora.editing import guidance, sampling
from imagic_lora.images.pixels import to_images
from imagic_lora.models.base import LatentModel
from imagic_lora.progress import ignore

CASES = 33
"""Edits of each world, all kinds in turn; the first warms up and does not count."""

PLAIN = SamplingSettings(steps=30, guidance=4.0)
NEXT_ALPHA = 0.75


def draw(model: LatentModel, target: str, shape: tuple[int, ...]) -> Image.Image:
    """Return a picture of a prompt alone."""
    empty, towards = (model.encode_prompt(text) for text in ("", target))
    predictor = guidance.classifier_free(model, empty, towards, PLAIN.guidance)
    start = sampling.Start(torch.zeros(shape), 1.0, (PLAIN.seed,))
    latents = sampling.sample(model, predictor, start, PLAIN, ignore)
    return to_images(model.decode(latents))[0]


def time_case(bench: Bench, case: Item) -> dict[str, dict[str, float]]:
    """Return what each way to a picture of one case took: processor seconds, and passes."""
    editor = bench.editor
    adapter = editor.fit(case.picture, source=case.source, target=case.target)
    edits = editor.edits([EditRequest(adapter=adapter, target=case.target)])
    shape = tuple(adapter.latents.shape)

    def taken(paint: Callable[[], object]) -> dict[str, float]:
        bench.passes.take()
        began = time.process_time()
        paint()
        seconds = time.process_time() - began
        return {"seconds": seconds, "passes": bench.passes.take().forward}

    return {
        "plain": taken(lambda: draw(editor.model, case.target, shape)),
        "edit": taken(lambda: edits.at([1.0])),
        "next": taken(lambda: edits.at([NEXT_ALPHA])),
    }


def measure(world: World, folder: Path) -> list[dict[str, Any]]:
    """Return the medians of a world's cases, a row for each number of passes that an edit takes."""
    suite, bench = PORTRAITS.within(world), Bench.of(world.model)
    _, *taken = [time_case(bench, case) for case in suite.items("report", CASES, folder)]
    counts = sorted({case["edit"]["passes"] for case in taken})
    alike = ([case for case in taken if case["edit"]["passes"] == count] for count in counts)
    return [summary(cases) for cases in alike]


def summary(cases: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, Any]:
    """Return the medians of cases that take as many passes.

    Args:
        cases: Results of `time_case`, at least one.
    """
    seconds = statistics.median(case["plain"]["seconds"] for case in cases)
    found: dict[str, Any] = {"cases": len(cases), "seconds_plain": round(seconds, 3)}
    for way in ("edit", "next"):
        ratios = [case[way]["seconds"] / case["plain"]["seconds"] for case in cases]
        found[way] = round(statistics.median(ratios), 3)
    return found | {"passes": {way: taken["passes"] for way, taken in cases[0].items()}}


def main() -> None:
    """Time every world, and write the result."""
    torch.set_num_threads(1)
    worlds = {}
    for name, world in WORLDS.items():
        with tempfile.TemporaryDirectory() as folder:
            worlds[name] = measure(world, Path(folder))
        print(f"{name}: {worlds[name]}", flush=True)
    settings = {"edit": EditSettings().steps, "plain": PLAIN.steps, "guidance": PLAIN.guidance}
    result = {"environment": describe(), "settings": settings, "worlds": worlds}
    print(f"wrote {write_result('pace', result)}")


if __name__ == "__main__":
    main()
