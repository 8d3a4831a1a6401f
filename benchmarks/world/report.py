"""The figures of `benchmarks/results/world.json` as tables, for the demo model's page."""

from typing import Any

from benchmarks.tables import percent, versions
from imagic_lora.bench.tables import table


def figures(result: dict[str, Any]) -> str:
    """Return the generated part of the page, in Markdown."""
    text, where = result["text_to_image"], result["environment"]
    found = text["found_when_named"]
    weakest = (
        (name, _share(share), _weakest(found["by_value"][name]))
        for name, share in found["by_attribute"].items()
    )
    return "\n\n".join(
        (
            table(("figure", "measured", "to reach"), _measured(result)),
            (
                f"Text to image at guidance {text['guidance']:g}, {text['prompts']} prompts; how "
                "often the judge finds what the prompt names:"
            ),
            table(("attribute", "found", "its weakest value"), weakest, "rl"),
            (
                f"Measured on {result['settings']['held_out_drawings']} held-out drawings; "
                f"{where['cores']} cores, {versions(where)}."
            ),
        )
    )


def _measured(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the figures of the model and the judge, and what they should reach."""
    vae, text, model = result["vae"], result["text_to_image"], result["model"]
    judge, together = result["judge"], "all attributes together"
    return [
        ("reconstruction by the autoencoder", f"{vae['psnr_db']:.1f} dB", "30 dB"),
        (
            "judge on drawings, weakest attribute",
            _share(min(judge["by_attribute"].values())),
            "99.5 %",
        ),
        (f"judge on drawings, {together}", _share(judge["all_together"]), "-"),
        (f"judge on reconstructions, {together}", _share(vae["judge"]["all_together"]), "98 %"),
        (
            "text to image, weakest attribute",
            _share(text["found_when_named"]["lowest"]),
            "90 %",
        ),
        ("size of the folder", f"{model['bytes'] / 1e6:.1f} MB", "20 MB"),
        (
            f"one picture of {text['steps']} steps on one thread",
            f"{model['seconds_per_picture_one_thread']:.1f} s",
            "-",
        ),
    ]


def _weakest(by_value: dict[str, float]) -> str:
    """Return the value that is found least often, and how often it is."""
    value, least = min(by_value.items(), key=lambda item: item[1])
    return f"{value}, {_share(least)}"


def _share(share: float) -> str:
    return percent(share, 1)
