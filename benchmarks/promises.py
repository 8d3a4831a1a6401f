"""What is promised of every device, tried on this one with the demo model.

    python -m benchmarks.promises

One picture is fitted and edited in every way that must make no difference, or a known one: again,
from threads, with every lever, with every attention kernel, and on the CPU with the same adapter.
How far pictures lie apart is their largest difference in grey levels, and the ratio of signal to
noise, in dB. Writes benchmarks/results/promises.json where there is a GPU, else prints.
"""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.environment import describe, write_result
from benchmarks.gpu import attentions, tried
from imagic_lora import Adapter, EditSettings, FitSettings, ImagicEditor
from imagic_lora.memory import MemoryPlan
from imagic_lora.memory.ladder import LADDER

INPUT = Path(str(files("imagic_lora") / "demo" / "girl.png"))
SOURCE, TARGET = "a girl", "a girl with a flower"
SEEDS = (0, 1)
FIT, EDIT = FitSettings(steps=12), EditSettings(steps=10)
"""Shorter than by default: what is compared is not how well an edit came out."""


def apart(one: Image.Image, other: Image.Image) -> dict[str, Any]:
    """Return how far two pictures lie apart."""
    difference = np.asarray(one, np.float64) - np.asarray(other, np.float64)
    power = float((difference**2).mean())
    return {
        "grey_levels": float(np.abs(difference).max()),
        "db": None if power == 0 else round(10 * np.log10(255**2 / power), 2),
    }


def load(plan: MemoryPlan) -> ImagicEditor:
    """Return an editor of the demo model."""
    return ImagicEditor.from_pretrained("demo", memory=plan)


def edited(editor: ImagicEditor, adapter: Adapter, seed: int = 0) -> Image.Image:
    """Return one edit at alpha 1."""
    return editor.edit(adapter, alpha=1.0, settings=replace(EDIT, seed=seed)).image


def fitted(editor: ImagicEditor) -> Adapter:
    """Return a fit of the demo's picture."""
    return editor.fit(INPUT, source=SOURCE, target=TARGET, settings=FIT)


def from_threads(editor: ImagicEditor, adapter: Adapter) -> float:
    """Return the largest difference of edits made at once from edits made one after the other."""
    with ThreadPoolExecutor(len(SEEDS)) as threads:
        found = list(threads.map(lambda seed: edited(editor, adapter, seed), SEEDS))
    alone = [edited(editor, adapter, seed) for seed in SEEDS]
    pairs = zip(found, alone, strict=True)
    largest: float = max(apart(*pair)["grey_levels"] for pair in pairs)
    return largest


def measure(base: MemoryPlan) -> dict[str, Any]:
    """Return what was found, each held against the same fit and edit with no lever pulled."""
    editor = load(base)
    adapter = fitted(editor)
    picture = edited(editor, adapter)

    def told(name: str, make: Callable[[], Image.Image]) -> None:
        found[name] = tried(lambda: apart(picture, make()))
        print(f"{name}: {json.dumps(found[name])}", flush=True)

    original = editor.input_image(adapter)
    found: dict[str, Any] = {
        "alpha 0, to the input": apart(
            original, editor.edit(adapter, alpha=0.0, settings=EDIT).image
        ),
        "alpha 1, to the input": apart(original, picture),
        "from threads, grey levels": from_threads(editor, adapter),
        "losses": [adapter.record.losses[0], adapter.record.losses[-1]],
    }
    told("the same edit again", lambda: edited(editor, adapter))
    told("the same fit again", lambda: edited(editor, fitted(editor)))
    told("from a fresh editor", lambda: edited(load(base), adapter))
    for kernel in attentions(base):
        told(f"attention {kernel}", lambda: edited(load(replace(base, attention=kernel)), adapter))  # noqa: B023  called at once
    for lever in LADDER:
        other = load(base.climb((lever,)))
        told(f"edit with {lever.name}", lambda: edited(other, adapter))  # noqa: B023
        told(f"fit and edit with {lever.name}", lambda: edited(other, fitted(other)))  # noqa: B023
    told("on the CPU", lambda: edited(load(MemoryPlan.automatic("cpu")), adapter))
    return found


def main() -> None:
    """Measure, and write the result where there is a GPU."""
    plan = MemoryPlan.automatic()
    result = {"environment": describe(plan.device.type), "found": measure(plan)}
    if plan.device.type == "cuda":
        print(f"wrote {write_result('promises', result)}")
    else:
        print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
