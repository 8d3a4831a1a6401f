"""The figures of the smaller benchmarks' results as tables, for the docs."""

from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.tables import percent, table, versions

NAMES = {"sd15": "Stable Diffusion 1.5", "sdxl": "Stable Diffusion XL"}
_RATES = ("edited", "kept", "perfect")
_EQUAL = 60  # the nearness that two equal pictures are given, in dB
_GROUPS = {
    "ranks": "Rank of every layer:",
    "layers": "Which layers are adapted, at the default rank:",
    "shrunk": "Shrunk after the fit:",
    "words": "Where a tool takes words alone:",
}


def switching(result: Mapping[str, Any]) -> str:
    """Return how fast adapters are switched and mixed, in Markdown."""
    header = ("way", *(f"{NAMES[name]}, ms" for name in NAMES))
    ways = result["sd15"]["milliseconds"]
    rows = [(way, *(_number(result[n]["milliseconds"][way]) for n in NAMES)) for way in ways]
    return "\n\n".join(
        (
            table(header, rows),
            _ratios(result),
            _flat(result["often"]),
            _batches(result["batches"]),
            f"Processor time of one thread, {_environment(result['environment'])}.",
        )
    )


def full_size(result: Mapping[str, Any]) -> str:
    """Return what a model of full size took on a CPU, in Markdown."""
    header = ("loaded from", "load, s", "fit, s", "edit, s", "resident at most, GB", "adapter, MB")
    rows = [
        (
            f"a {source}",
            *(_number(result[source]["seconds"][phase]) for phase in ("load", "fit", "edit")),
            f"{result[source]['bytes_resident_peak'] / 1e9:.1f}",
            f"{result[source]['bytes_adapter'] / 1e6:.1f}",
        )
        for source in ("folder", "file")
    ]
    fit, edit = (result["settings"][name]["steps"] for name in ("fit", "edit"))
    return (
        f"{table(header, rows)}\n\n"
        f"{result['folder']['parameters'] / 1e6:.0f} million parameters of the denoiser, "
        f"{fit} fitting steps of one sample, {edit} denoising steps, "
        f"{_environment(result['environment'])}."
    )


def _ratios(result: Mapping[str, Any]) -> str:
    """Return how many times faster ours is than hotswap."""
    found = []
    for name, words in NAMES.items():
        times = result[name]["milliseconds"]
        memory = times["hotswap"] / times["ours"]
        file = times["hotswap, from file"] / times["ours, from file"]
        found.append(f"{memory:.0f} times for {words} ({file:.1f} times from a file)")
    return f"Ours is faster than hotswap by {' and '.join(found)}."


def _flat(often: Mapping[str, Any]) -> str:
    """Return what a thousand switches leave behind."""
    first, *_, last = often["bytes_resident"]
    return (
        f"{often['switches']} switches over {often['adapters']} adapters changed the resident "
        f"memory by {(last - first) / 1e6:.1f} MB after the first {often['adapters']}; the base "
        f"was {'bit-identical' if often['base_unchanged'] else 'CHANGED'} afterwards."
    )


def _batches(batches: Mapping[str, Any]) -> str:
    """Return what a batch of adapters brings."""
    seconds = batches["seconds_per_picture"]
    rows = [
        (size, f"{value:.2f}", f"{seconds['1'] / value:.2f}") for size, value in seconds.items()
    ]
    return (
        f"Pictures of the demo model, {batches['steps']} steps each, every one with an adapter of "
        "its own:\n\n" + table(("pictures at a time", "seconds each", "times as fast"), rows)
    )


def ranks(result: Mapping[str, Any]) -> str:
    """Return what an adapter's size buys, in Markdown."""
    header = (
        "adapter",
        "kB",
        "edited",
        "others kept",
        "perfect",
        "dB outside",
        "dB to ideal",
        "dB recalled",
    )
    parts = [_size(result["cases"], result["split"])]
    for group, members in result["groups"].items():
        by_size = sorted(members.items(), key=lambda pair: pair[1]["bytes"])
        parts += [_GROUPS[group], table(header, (_row(*member) for member in by_size))]
    sizes = ", ".join(
        f"{NAMES[name]} {found['default'] / 1e6:.1f} MB ({found['compact'] / 1e6:.1f} MB compact)"
        for name, found in result["full_size_bytes"].items()
    )
    parts += [f"Files of the true models: {sizes}.", f"{_environment(result['environment'])}."]
    return "\n\n".join(parts)


def strength(result: Mapping[str, Any]) -> str:
    """Return how an edit grows with its strength, in Markdown."""
    zero = result["alpha_zero"]
    growing = [
        (f"{point['strength']:g}", percent(point["change"]), *_shares(point))
        for point in result["alpha"]["all"]
    ]
    header = ("change, of the ideal edit's", "edited", "others kept", "perfect")
    locks = zip(result["structure_lock"], result["structure_lock_layout"], strict=True)
    locked = [
        (f"{point['strength']:g}", *_shares(point), percent(layout["perfect"]))
        for point, layout in locks
    ]
    return "\n\n".join(
        (
            (
                f"{result['cases']} cases of the `{result['split']}` split, every kind of edit equally "
                "often."
            ),
            table(("alpha", *header), growing),
            (
                f"At `alpha` 0 the picture is within {zero['psnr']:.1f} dB of the input; the "
                f"autoencoder alone is within {zero['psnr_autoencoder']:.1f} dB."
            ),
            "At `alpha` 1 under a structure lock:",
            table(("structure lock", *header[1:], "perfect, layout moves"), locked),
            f"{_environment(result['environment'])}.",
        )
    )


def _shares(point: Mapping[str, float]) -> Iterable[str]:
    return (percent(point[rate]) for rate in _RATES)


def lever_quality(result: Mapping[str, Any]) -> str:
    """Return what each lever costs in quality, in Markdown."""
    header = (
        "denoiser",
        "cases",
        "edited",
        "others kept",
        "perfect",
        "loss left",
        "loss, against float32",
        "picture, dB to float32's",
    )
    rows = [
        (
            name,
            str(row["cases"]),
            *_shares(row),
            f"{row['gap']:.3f}",
            f"{row['gap_difference']:.4f}",
            "equal" if row["psnr_to_float32"] >= _EQUAL else f"{row['psnr_to_float32']:.1f}",
        )
        for name, row in result["variants"].items()
    ]
    return f"{table(header, rows)}\n\n{_environment(result['environment'])}."


def slowdown(result: Mapping[str, Any]) -> str:
    """Return how many times longer each lever makes its phases, in Markdown."""
    settings, slower = result["settings"], result["slower"]
    levers = dict.fromkeys(lever for phase in slower.values() for lever in phase)
    rows = [
        (lever, *(f"{found[lever]:.2f}x" if lever in found else "" for found in slower.values()))
        for lever in levers
    ]
    return "\n\n".join(
        (
            table(("lever", *slower), rows),
            (
                f"{NAMES[settings['model']]} at {settings['side']} pixels, each against the rung below "
                f"it (another layout of the weights against no lever), the fastest of "
                f"{settings['rounds']}; {_environment(result['environment'])}."
            ),
        )
    )


def _size(cases: int, split: str) -> str:
    """Return how far the figures can be trusted."""
    return (
        f"{cases} cases of the `{split}` split at alpha 1, one picture each: one case is "
        f"{100 / cases:.0f} points, so small differences mean nothing."
    )


def _row(name: str, row: Mapping[str, float]) -> tuple[str, ...]:
    nearness = (f"{row[key]:.1f}" for key in ("psnr_outside", "psnr_ideal", "recall"))
    return name, f"{row['bytes'] / 1000:.0f}", *_shares(row), *nearness


def _environment(found: Mapping[str, Any]) -> str:
    return f"{found['device']}, {versions(found, 'torch', 'diffusers', 'peft')}"


def _number(milliseconds: float) -> str:
    return f"{milliseconds:.1f}" if milliseconds < 100 else f"{milliseconds:.0f}"
