"""What an adapter's size buys: edit scores against bytes, on the demo model.

    python -m benchmarks.ranks [--cases N]

Ranks, adapted layers, shrinking after the fit, and what is lost where tools take words alone. The
cases and the judge are those of the edits benchmark, on its tuning split. A run that was stopped
goes on where it was. Writes benchmarks/results/ranks.json and docs/images/ranks.png.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from diffusers import UNet2DConditionModel
from matplotlib.figure import Figure

from benchmarks.edits.cases import make_cases
from benchmarks.edits.methods import Bench
from benchmarks.edits.report import mean
from benchmarks.edits.scores import brightness, psnr, score
from benchmarks.environment import describe, write_result
from benchmarks.switching import draw_weights, wrap
from benchmarks.world.drawing import draw
from benchmarks.world.judge import WEIGHTS
from benchmarks.world.pipeline import MODEL, REPOSITORY
from imagic_lora import Adapter, EditSettings, FitSettings
from imagic_lora.models.blueprint import BLUEPRINTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from benchmarks.edits.cases import Case

BUILD = REPOSITORY / "build" / "ranks"
PLOT = REPOSITORY / "docs" / "images" / "ranks.png"
CASES = 8
RANKS = (1, 2, 4, 8, 16, 32)
DEFAULT = FitSettings()

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
FEED_FORWARD = ("ff.net.0.proj", "ff.net.2")

OURS = EditSettings()
ELSEWHERE = EditSettings(fidelity=0, focus=0, structure_lock=0.01)
"""What other tools can do: image-to-image, the caption as the negative prompt."""

COMPACT = {"sd15": 2_000_000, "sdxl": 12_000_000}
"""Bytes of the compact form of the true models."""


@dataclass(frozen=True)
class Fit:
    """One way to fit.

    Attributes:
        settings: How.
        targets: Endings of the names of the adapted layers; () for the default's.
        within: What the names of the adapted layers begin with.
    """

    settings: FitSettings = DEFAULT
    targets: tuple[str, ...] = ()
    within: str = ""


WHOLE, WORDS = f"rank {DEFAULT.rank}", "embedding held at the caption's"
FITS: dict[str, Fit] = {
    **{f"rank {rank}": Fit(FitSettings(rank=rank)) for rank in RANKS},
    f"{WHOLE}, another seed": Fit(FitSettings(seed=1)),
    "attention": Fit(targets=ATTENTION),
    "attention, feed-forward": Fit(targets=(*ATTENTION, *FEED_FORWARD)),
    "up blocks": Fit(within="up_blocks."),
    WORDS: Fit(FitSettings(embedding_lr=0)),
}


def variants(
    name: str, adapter: Adapter, bench: Bench, case: Case
) -> Iterator[tuple[str, str, Adapter, EditSettings]]:
    """Yield the group and name of everything that is judged of a fit, and how it is edited."""
    if name == WORDS:
        yield "words", "fitted for words alone, in other tools", adapter, ELSEWHERE
        return
    ranked = name.startswith("rank")
    yield "ranks" if ranked else "layers", name, adapter, OURS
    if name != WHOLE:
        return
    size = len(adapter.to_bytes())
    for share in (2, 4):
        yield "shrunk", f"{name}, 1/{share} of the size", adapter.compact(size // share), OURS
    words = bench.editor.model.encode_prompt(case.source).to("cpu", torch.float16)
    yield "words", "whole adapter, without fidelity", adapter, ELSEWHERE
    exported = replace(adapter, conditioning=words)
    yield "words", "its LoRA alone, in other tools", exported, ELSEWHERE


def fit(bench: Bench, case: Case, asked: Fit) -> Adapter:
    """Fit the case's picture in one way; the model's own list of layers is put back."""
    model = bench.editor.model
    own = model.traits
    endings = tuple(f".{target}" for target in asked.targets or own.lora_targets)
    layers = (path for path, _ in model.denoiser.named_modules() if path.endswith(endings))
    chosen = tuple(path for path in layers if path.startswith(asked.within))
    model.traits = replace(own, lora_targets=chosen)
    try:
        return bench.editor.fit(
            draw(case.portrait), target=case.target, source=case.source, settings=asked.settings
        )
    finally:
        model.traits = own


def judge(bench: Bench, case: Case, name: str) -> list[dict[str, Any]]:
    """Fit a case in one way, and return what all variants of the fit are worth."""
    adapter = fit(bench, case, FITS[name])
    return [
        {
            "group": group,
            "variant": variant,
            "bytes": len(edited.to_bytes()),
            "gap": adapter.record.gap,
            "recall": recall(bench, case, edited),
            **asdict(score(bench.judge, case, bench.editor.edit(edited, settings=how).image)),
        }
        for group, variant, edited, how in variants(name, adapter, bench, case)
    ]


def recall(bench: Bench, case: Case, adapter: Adapter) -> float:
    """Return how near the adapter alone comes to its picture, in dB: alpha 0, without fidelity."""
    picture = bench.editor.edit(adapter, alpha=0, target=case.target, settings=ELSEWHERE).image
    return psnr(brightness(picture), brightness(draw(case.portrait)))


def version() -> str:
    """Return what tells apart results that must not be mixed: the model and the settings."""
    hashed = hashlib.sha256(repr((FITS, OURS, ELSEWHERE)).encode())
    for path in sorted(MODEL.glob("*/*.safetensors")):
        hashed.update(path.read_bytes())
    return hashed.hexdigest()[:16]


def run(cases: Sequence[Case], log: Path) -> list[dict[str, Any]]:
    """Do what is not yet done, a line of the log for each fit; return what all are worth."""
    log.parent.mkdir(parents=True, exist_ok=True)
    log.touch()
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    done = {(line["case"], line["fit"]): line["judged"] for line in lines}
    wanted = [(case, name) for case in cases for name in FITS]
    todo = [(case, name) for case, name in wanted if (case.name, name) not in done]
    bench = Bench.load(MODEL, WEIGHTS)
    for number, (case, name) in enumerate(todo, start=1):
        judged = done[case.name, name] = judge(bench, case, name)
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"case": case.name, "fit": name, "judged": judged}) + "\n")
        print(f"{number}/{len(todo)} {case.name} {name}", flush=True)
    return [row for case, name in wanted for row in done[case.name, name]]


def summarise(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    """Return the mean figures of each variant, by group."""
    figures = ("edited", "kept", "perfect", "psnr_ideal", "psnr_outside", "recall", "bytes", "gap")
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for row in rows:
        found.setdefault(row["group"], {}).setdefault(row["variant"], []).append(row)
    return {
        group: {
            variant: {name: mean(row[name] for row in own) for name in figures}
            for variant, own in members.items()
        }
        for group, members in found.items()
    }


def sizes() -> dict[str, dict[str, int]]:
    """Return the bytes of an adapter of the true models: by default, and in the compact form."""
    found = {}
    for name, most in COMPACT.items():
        with torch.device("meta"):
            unet: Any = UNet2DConditionModel.from_config(dict(BLUEPRINTS[name].networks["unet"]))
        adapter = wrap(draw_weights(unet, 0), unet)
        whole, small = (len(each.to_bytes()) for each in (adapter, adapter.compact(most)))
        found[name] = {"default": whole, "compact": small}
    return found


def plot(groups: dict[str, dict[str, dict[str, float]]]) -> None:
    """Write the plot of nearness to the input against bytes, a line or marks for each group."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for group, members in groups.items():
        if group != "words":
            points = sorted((row["bytes"] / 1000, row["recall"]) for row in members.values())
            style = "-" if group in ("ranks", "shrunk") else ""
            axes.plot(*zip(*points, strict=True), marker="o", linestyle=style, label=group)
    axes.set(
        xscale="log",
        xlabel="size of the adapter, kB",
        ylabel="nearness of alpha 0 to the input, dB",
        title="What an adapter alone recalls, on the demo model",
    )
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(PLOT, dpi=110)


def main() -> None:
    """Measure, plot and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=CASES)
    cases = make_cases("tune", parser.parse_args().cases)
    groups = summarise(run(cases, BUILD / f"{version()}.jsonl"))
    plot(groups)
    result = {
        "environment": describe(),
        "split": "tune",
        "cases": len(cases),
        "groups": groups,
        "full_size_bytes": sizes(),
    }
    print(f"wrote {write_result('ranks', result)}")


if __name__ == "__main__":
    main()
