"""The figures of the smaller benchmarks' results as tables, for the docs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.tables import by_name, number, percent, share, versions
from imagic_lora.bench.tables import table
from imagic_lora.memory.footprint import Footprint, footprints
from imagic_lora.memory.ladder import LADDER, PHASES

NAMES = {"sd15": "Stable Diffusion 1.5", "sdxl": "Stable Diffusion XL"}
RUNGS = ("no lever", *(lever.name for lever in LADDER))
"""What the rungs of the ladder are called, by how many levers are pulled."""

_WORLDS = {"portraits": "drawn", "photos": "photographed", "flow": "flow"}
_SHARES = {"edited": share("edited"), "others kept": share("kept"), "perfect": share("perfect")}
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


def pace(result: Mapping[str, Any]) -> str:
    """Return how long edits take beside a plain text-to-image, in Markdown."""
    header = ("model", "cases", "passes of an edit", "of the next alpha", "edit", "next alpha")
    rows = [
        (
            words,
            *map(str, (row["cases"], row["passes"]["edit"], row["passes"]["next"])),
            *(f"{row[way]:.2f}" for way in ("edit", "next")),
        )
        for name, words in _WORLDS.items()
        for row in result["worlds"].get(name, ())
    ]
    settings = result["settings"]
    return (
        f"{table(header, rows)}\n\n"
        f"Times the processor seconds of a text-to-image in {settings['plain']} steps at guidance "
        f"{settings['guidance']:g}, {2 * settings['plain']} passes, in the same run; an edit is "
        f"{settings['edit']} steps. Median, {_environment(result['environment'])}."
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


def gpu(result: Mapping[str, Any]) -> str:
    """Return what a GPU really took, beside what was predicted, in Markdown."""
    header = ("model", "lever", *(f"{phase}, GB" for phase in PHASES), "highest, of predicted")
    rows = [
        _taken(footprints()[model], name, row)
        for model, found in result["models"].items()
        for name, row in found["phases"].items()
    ]
    capped = [
        f"Capped at {cap}, {model} did the whole job with {_listed(row['levers'])} pulled, which it "
        "did by itself as memory ran out."
        for model, found in result["models"].items()
        for cap, row in found["capped"].items()
        if row.get("levers")
    ]
    return "\n\n".join(
        (
            table(header, sorted(rows)),
            *capped,
            " ".join(result["remarks"]),
            f"{_environment(result['environment'])}.",
        )
    )


def _taken(known: Footprint, name: str, row: Mapping[str, Mapping[str, int]]) -> tuple[str, ...]:
    """Return the row of one rung: what its tensors took at most, and the highest of all phases."""
    rung = RUNGS.index(name)
    peak = max(row[phase]["bytes_allocated"] for phase in PHASES)
    return (
        known.model,
        f"{rung}. {name}",
        *(f"{row[phase]['bytes_allocated'] / 1e9:.2f}" for phase in PHASES),
        f"{peak / 1e9:.2f} of {known.peak(rung) / 1e9:.2f}",
    )


def gpu_time(result: Mapping[str, Any]) -> str:
    """Return how long a GPU took rung by rung, in Markdown."""
    header = ("model", "lever", "a step of a fit, s", "times that with no lever")
    rows = []
    for model, found in result["models"].items():
        ladder = found["ladder"]
        for name in RUNGS:
            if name in ladder:
                taken = ladder[name]["seconds_per_step"]
                times = taken / ladder["no lever"]["seconds_per_step"]
                rows.append((model, name, f"{taken:.2f}", f"{times:.1f}"))
    return f"{table(header, rows)}\n\n{' '.join(result['remarks'])}"


def promises(result: Mapping[str, Any]) -> str:
    """Return what made a difference on a GPU and what did not, in Markdown."""
    header = ("the same picture", "largest difference, of 255", "dB")
    rows = [
        (name, f"{found['grey_levels']:.0f}", "equal" if found["db"] is None else f"{found['db']}")
        for name, found in result["found"].items()
        if "failed" not in found
    ]
    return f"{table(header, rows)}\n\n{' '.join(result['remarks'])}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else names[0]


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
    columns = {
        "kB": number("bytes", unit=1000),
        **_SHARES,
        "dB outside": number("psnr_outside", 1),
        "dB to ideal": number("psnr_ideal", 1),
        "dB recalled": number("recall", 1),
    }
    parts = [_size(result["cases"], result["split"])]
    for group, members in result["groups"].items():
        by_size = sorted(members.items(), key=lambda pair: pair[1]["bytes"])
        parts += [_GROUPS[group], by_name("adapter", dict(by_size), columns)]
    sizes = ", ".join(
        f"{NAMES[name]} {found['default'] / 1e6:.1f} MB ({found['compact'] / 1e6:.1f} MB compact)"
        for name, found in result["full_size_bytes"].items()
    )
    parts += [f"Files of the true models: {sizes}.", f"{_environment(result['environment'])}."]
    return "\n\n".join(parts)


def strength(result: Mapping[str, Any]) -> str:
    """Return how an edit grows with its strength, in Markdown."""
    zero, layout = result["alpha_zero"], result["structure_lock_layout"]
    moves = {f"{point['strength']:g}": point["perfect"] for point in layout}
    locked = {
        **_SHARES,
        "perfect, layout moves": lambda point: percent(moves[f"{point['strength']:g}"]),
    }
    return "\n\n".join(
        (
            (
                f"{result['cases']} cases of the `{result['split']}` split, every kind of edit equally "
                "often."
            ),
            by_name(
                "alpha",
                _by_strength(result["alpha"]["all"]),
                {"change, of the ideal edit's": share("change"), **_SHARES},
            ),
            (
                f"At `alpha` 0 the picture is within {zero['psnr']:.1f} dB of the input; the "
                f"autoencoder alone is within {zero['psnr_autoencoder']:.1f} dB (60 where nothing differs)."
            ),
            "At `alpha` 1 under a structure lock:",
            by_name("structure lock", _by_strength(result["structure_lock"]), locked),
            f"{_environment(result['environment'])}.",
        )
    )


def _by_strength(points: Iterable[Mapping[str, float]]) -> dict[str, Mapping[str, float]]:
    return {f"{point['strength']:g}": point for point in points}


def lever_quality(result: Mapping[str, Any]) -> str:
    """Return what each lever costs in quality, in Markdown."""
    columns = {
        "cases": number("cases"),
        **_SHARES,
        "loss left": number("gap", 3),
        "loss, against float32": number("gap_difference", 4),
        "picture, dB to float32's": _nearness,
    }
    rates = by_name("denoiser", result["variants"], columns)
    return f"{rates}\n\n{_environment(result['environment'])}."


def _nearness(row: Mapping[str, float]) -> str:
    near = row["psnr_to_float32"]
    return "equal" if near >= _EQUAL else f"{near:.1f}"


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


def _environment(found: Mapping[str, Any]) -> str:
    return f"{found['device']}, {versions(found, 'torch', 'diffusers', 'peft')}"


def _number(milliseconds: float) -> str:
    return f"{milliseconds:.1f}" if milliseconds < 100 else f"{milliseconds:.0f}"
