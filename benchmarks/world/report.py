"""The figures of `benchmarks/results/world.json` as tables, for the demo model's page."""

from __future__ import annotations

from typing import Any

from benchmarks.environment import RESULTS

RESULT = RESULTS / "world.json"


def figures(result: dict[str, Any]) -> str:
    """The generated part of the page, in Markdown."""
    vae, text, model = result["vae"], result["text_to_image"], result["model"]
    judge, found = result["judge"], text["found_when_named"]
    lines = [
        "| figure | measured | to reach |",
        "| --- | --: | --: |",
        f"| reconstruction by the autoencoder | {vae['psnr_db']:.1f} dB | 30 dB |",
        f"| judge on drawings, weakest attribute | {_percent(min(judge['by_attribute'].values()))} | 99.5 % |",
        f"| judge on drawings, all attributes together | {_percent(judge['all_together'])} | - |",
        f"| judge on reconstructions, all attributes together | {_percent(vae['judge']['all_together'])} | 98 % |",
        f"| text to image, weakest attribute | {_percent(found['lowest'])} | 90 % |",
        f"| size of the folder | {model['bytes'] / 1e6:.1f} MB | 20 MB |",
        f"| one picture of {text['steps']} steps on one thread | {model['seconds_per_picture_one_thread']:.1f} s | - |",
        "",
        f"Text to image at guidance {text['guidance']:g}, {text['prompts']} prompts; how often the judge finds what the prompt names:",
        "",
        "| attribute | found | its weakest value |",
        "| --- | --: | --- |",
    ]
    for name, share in found["by_attribute"].items():
        value, least = min(found["by_value"][name].items(), key=lambda item: item[1])
        lines.append(f"| {name} | {_percent(share)} | {value}, {_percent(least)} |")
    where = result["environment"]
    versions = ", ".join(f"{name} {number}" for name, number in where["versions"].items())
    held_out = result["settings"]["held_out_drawings"]
    lines += ["", f"Measured on {held_out} held-out drawings; {where['cores']} cores, {versions}."]
    return "\n".join(lines)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
