"""One method on one case: its pictures at every strength, what they are worth and what they took."""

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.edits.methods import Bench, Method
from imagic_lora.bench.items import Item
from imagic_lora.bench.metrics.base import Pair, Scorer
from imagic_lora.editing.alphas import choose, search
from imagic_lora.editing.edits import Edits
from imagic_lora.editing.witnesses import BaseModel

Record = dict[str, Any]
"""One method on one case: who, what, the scores by strength, the strength that is found without
anybody looking and the scores there, what it took, and the method's own facts."""


def measure(
    bench: Bench, scorer: Scorer, name: str, method: Method, case: Item, folder: Path
) -> Record:
    """Run one method on one case at all its strengths, and keep the pictures.

    Args:
        bench: The model.
        scorer: What judges its pictures.
        name: Name of the method.
        method: The method.
        case: The case.
        folder: Where pictures go.
    """
    _ = bench.editor  # loads the model
    began = time.monotonic()
    bench.passes.take()
    prepared = method.prepare(bench, case)
    fit, fitted = bench.passes.take(), time.monotonic()
    pictures, edits = {}, []
    for strength in method.strengths:
        asked = time.monotonic()
        pictures[strength] = method.edit(bench, case, prepared, strength)
        edits.append((bench.passes.take().forward, time.monotonic() - asked))
    first, seconds = edits[0]  # what the later take over from it is not counted
    found, picture = automatic(bench, method, case, prepared, pictures)
    scores = {}
    for strength, made in {**pictures, found: picture}.items():
        path = picture_path(folder, name, case.name, strength)
        path.parent.mkdir(parents=True, exist_ok=True)
        made.save(path)
        scores[strength] = scorer.score(Pair.of(case, made))
    return {
        "method": name,
        "case": case.name,
        "kind": case.kind,
        "style": case.notes.get("style", ""),
        "scores": {f"{strength:g}": scores[strength] for strength in pictures},
        "chosen": f"{found:g}",
        "automatic": scores[found],
        "passes_fwd": fit.forward + first,
        "passes_fwd_bwd": fit.forward_backward,
        "seconds_fit": round(fitted - began, 2),
        "seconds": round(fitted - began + seconds, 2),
        **method.facts(prepared),
    }


def automatic(
    bench: Bench,
    method: Method,
    case: Item,
    prepared: Any,
    pictures: Mapping[float, Image.Image],
) -> tuple[float, Image.Image]:
    """Return the strength that is found without anybody looking, and the picture at it.

    The product looks for it as it does for everybody; for other methods, whose strengths mean
    something else, its rule chooses among those that were tried.

    Args:
        bench: The model.
        method: The method.
        case: The case.
        prepared: What the method prepared.
        pictures: What it made, by strength.
    """
    if isinstance(prepared, Edits) and method.fixed == 1:
        best = search(prepared, (), BaseModel(prepared)).best
        return best.alpha, best.image
    pull = partial(bench.editor.pull, source=case.source or "", target=case.target)
    before = pull(case.picture)
    remaining = [pull(picture).remaining(before) for picture in pictures.values()]
    strengths = [*pictures]
    none = [0.0] * len(strengths)
    found = strengths[choose(strengths, remaining, none, before.place, method.fixed)]
    return found, pictures[found]


def picture_path(folder: Path, method: str, case: str, strength: float) -> Path:
    """Return where a picture is kept."""
    return folder / method / f"{case}@{strength:g}.png"
