"""The figures of benchmarks/results/edits.json as tables, for the docs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.environment import RESULTS
from benchmarks.tables import percent, table, versions

RESULT = RESULTS / "edits.json"


def figures(result: Mapping[str, Any]) -> str:
    """Return the tables of a result, in Markdown.

    Args:
        result: The content of the result file.
    """
    return "\n\n".join(
        (
            _size(result),
            table(_RATE_HEADER, _rate_rows(result["methods"])),
            *_alike(result),
            "What an edit takes, the fit included:",
            table(("method", *_COSTS), _cost_rows(result["methods"])),
            "Perfect edits at the automatic strength, by kind of edit:",
            table(("method", *result["by_kind"]), _kind_rows(result, "perfect_auto")),
            "The same at the best strength of each case:",
            table(("method", *result["by_kind"]), _kind_rows(result, "perfect_best")),
            _ceiling(result["ceiling"]),
            _environment(result["environment"]),
        )
    )


def brief(result: Mapping[str, Any]) -> str:
    """Return the table for those in a hurry, the best method first, in Markdown.

    Args:
        result: The content of the result file.
    """
    order = sorted(
        result["methods"].items(), key=lambda pair: pair[1]["perfect_auto"], reverse=True
    )
    rows = (
        (
            f"`{name}`",
            str(found["cases"]),
            *(percent(found[key]) for key in _BRIEF.values()),
            f"{found['passes_fwd_bwd']:.0f}",
        )
        for name, found in order
    )
    best_first = table(("method", "cases", *_BRIEF, "samples to fit"), rows)
    names = ("imagic_lora", "full_unet")
    if len({result["methods"][name]["cases"] for name in names}) == 1:
        return best_first
    ours, paper = (result["shared"][name] for name in names)
    return (
        f"{best_first}\n\n"
        f"On the {_shared(result)} cases that every method edited, `imagic_lora` is at "
        f"{percent(ours['perfect_auto'])} at the automatic and "
        f"{percent(ours['perfect_best'])} at the best strength, the paper's procedure (`full_unet`) "
        f"at {percent(paper['perfect_auto'])} and {percent(paper['perfect_best'])}."
    )


def tuning(result: Mapping[str, Any]) -> str:
    """Return the table of what was tried on the `tune` split, in Markdown.

    Args:
        result: The content of the result file of `benchmarks.edits.tuning`.
    """
    rows = (
        (f"`{name}`", one["settings"], *_rated(one))
        for name, candidates in result["methods"].items()
        for one in candidates
    )
    return table(("method", "settings", *_RATED), rows)


def search(result: Mapping[str, Any]) -> str:
    """Return the table of the recipe with one setting changed at a time, in Markdown.

    Args:
        result: The content of the result file of `benchmarks.edits.search`.
    """
    rows = ((one["variant"], *_rated(one)) for one in result["variants"])
    return "\n\n".join((table(("", *_RATED), rows), _environment(result["environment"])))


def captions(result: Mapping[str, Any]) -> str:
    """Return the tables of what captions are worth and which ones were found, in Markdown.

    Args:
        result: The content of the result file of `benchmarks.captions`.
    """
    rows = ((one["caption"], *_rated(one)) for one in result["captions"])
    shortest = sorted(result["found"], key=lambda one: len(one["target"]))[:_SHOWN]
    found = ((one["written"], one["target"], one["found"]) for one in shortest)
    return "\n\n".join(
        (
            table(("caption", *_RATED), rows),
            "What was found where the target is short:",
            table(("written for the picture", "target", "found in the target"), found, "l"),
            (
                f"One case is {100 / len(result['found']):.0f} points. "
                f"{_environment(result['environment'])}"
            ),
        )
    )


def reuse(result: Mapping[str, Any]) -> str:
    """Return the table of one fit for all prompts against a fit for each, in Markdown.

    Args:
        result: The content of the result file of `benchmarks.reuse`.
    """
    rows = ((one["fits"], *_rated(one)) for one in result["fits"])
    portraits = f"{result['portraits']} portraits. {_environment(result['environment'])}"
    return "\n\n".join((table(("", *_RATED), rows), portraits))


def _alike(result: Mapping[str, Any]) -> Iterable[str]:
    """Yield how the methods do on the same cases, where that is not what all of them are."""
    if _shared(result) < result["cases"]:
        yield f"On the {_shared(result)} cases that every method edited:"
        yield table(_RATE_HEADER, _rate_rows(result["shared"]))


def _shared(result: Mapping[str, Any]) -> int:
    """Return how many cases every method edited."""
    return min(int(found["cases"]) for found in result["shared"].values())


_RATED = (
    "cases",
    "perfect, automatic strength",
    "best strength",
    "one strength",
    "dB to ideal",
)
_SHOWN = 6
"""Captions that are shown."""


def _rated(one: Mapping[str, float]) -> tuple[str, ...]:
    """Return the cells of what `benchmarks.edits.tuning.rate` found."""
    return (
        str(one["cases"]),
        percent(one["perfect_auto"]),
        percent(one["perfect_best"]),
        f"{percent(one['perfect_fixed'])} at {one['fixed_strength']:g}",
        f"{one['psnr_ideal']:.1f}",
    )


_RATES = {
    "perfect, automatic strength": "perfect_auto",
    "perfect, best strength": "perfect_best",
    "perfect, one strength": "perfect_fixed",
    "perfect, omitting prompt": "perfect_omit",
    "edited": "edited",
    "others kept": "kept",
}
_RATE_HEADER = ("method", *_RATES, "dB outside", "distance")
_BRIEF = {
    "perfect, automatic strength": "perfect_auto",
    "perfect, best strength": "perfect_best",
    "perfect, omitting prompt": "perfect_omit",
    "others kept": "kept",
}
_COSTS = {
    "samples forward": "passes_fwd",
    "forward and backward": "passes_fwd_bwd",
    "seconds": "seconds",
    "kB kept": "bytes",
}


def _size(result: Mapping[str, Any]) -> str:
    """Return how large the run was, and how far its figures can be trusted."""
    count = result["cases"]
    fewer = {n: found["cases"] for n, found in result["methods"].items() if found["cases"] < count}
    text = f"{count} cases of the `{result['split']}` split, one seed"
    if fewer:
        names = ", ".join(f"`{name}`" for name in fewer)
        text += f"; {names}, with a long fit, on the first {min(fewer.values())} of them"
    points = (f"{100 / n:.1f}" for n in (count, *set(fewer.values())))
    return (
        f"{text}. One case changes a rate by {' or '.join(points)} points, so differences of a few "
        "cases mean nothing."
    )


def _ceiling(found: Mapping[str, float]) -> str:
    """Return what a perfect method would score."""
    return (
        f"The ceiling: the judge reads all attributes of {percent(found['judge_on_ideal'])} of "
        f"the ideal drawings, and of {percent(found['judge_on_reconstructed_ideal'])} of what the "
        f"autoencoder makes of them ({found['psnr_reconstructed_ideal']:.1f} dB). Left as it is, the "
        f"input is at a distance of {found['distance_unedited_to_ideal']:.3f} from the ideal edit."
    )


def _environment(found: Mapping[str, Any]) -> str:
    """Return what the figures were measured on."""
    packages = versions(found, "torch", "diffusers")
    return f"Measured on {found['device']}, {found['cores']} cores, {packages}."


def _rate_rows(methods: Mapping[str, Mapping[str, float | None]]) -> Iterable[Sequence[str]]:
    """Yield success and preservation of each method."""
    for name, found in methods.items():
        outside = found["psnr_outside"] or 0
        rates = (percent(found[key]) for key in _RATES.values())
        yield f"`{name}`", *rates, f"{outside:.1f}", f"{found['distance_ideal']:.3f}"


def _cost_rows(methods: Mapping[str, Mapping[str, float | None]]) -> Iterable[Sequence[str]]:
    """Yield what each method takes."""
    for name, found in methods.items():
        values = {key: found[key] or 0 for key in _COSTS.values()}
        values["bytes"] /= 1000
        yield f"`{name}`", *(f"{value:.0f}" for value in values.values())


def _kind_rows(result: Mapping[str, Any], rate: str) -> Iterable[Sequence[str]]:
    """Yield one of the rates of each method for each kind of edit."""
    kinds = result["by_kind"].values()
    for name in result["methods"]:
        rates = (percent(kind[name][rate]) if name in kind else "-" for kind in kinds)
        yield f"`{name}`", *rates
