"""The figures of the studies of edits as tables, for the docs.

Each function is given the content of a result file, and returns Markdown.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from benchmarks.tables import by_name, number, percent, share, versions
from imagic_lora.bench.tables import table

_AUTO = {"perfect, automatic strength": share("perfect_auto")}
_BEST = {"perfect, best strength": share("perfect_best")}
_OMITTING = {"perfect, omitting prompt": share("perfect_omit")}
_KEPT = {"others kept": share("kept")}
_RATES = {
    **_AUTO,
    **_BEST,
    "perfect, one strength": share("perfect_fixed"),
    **_OMITTING,
    "edited": share("edited"),
    **_KEPT,
    "dB outside": number("psnr_outside", 1),
    "distance": number("distance_ideal", 3),
}
_COSTS = {
    "samples forward": number("passes_fwd"),
    "forward and backward": number("passes_fwd_bwd"),
    "seconds": number("seconds"),
    "kB kept": number("bytes", unit=1000),
}
_BRIEF = {
    "cases": number("cases"),
    **_AUTO,
    **_BEST,
    **_OMITTING,
    **_KEPT,
    "samples to fit": number("passes_fwd_bwd"),
}
_RATED = {
    "cases": number("cases"),
    **_AUTO,
    "best strength": share("perfect_best"),
    "one strength": lambda one: f"{percent(one['perfect_fixed'])} at {one['fixed_strength']:g}",
    "dB to ideal": number("psnr_ideal", 1),
}
_FOUND = {
    "cases": number("cases"),
    **_AUTO,
    "at alpha 1": share("perfect_fixed"),
    "at the best strength": share("perfect_best"),
    "alpha that was found, mean": number("alpha", 2),
    **_KEPT,
    "dB outside": number("psnr_outside", 1),
}
_SHOWN = 6
"""Captions that are shown."""


def figures(result: Mapping[str, Any]) -> str:
    """Return all that is known of the methods."""
    methods = _quoted(result["methods"])
    return "\n\n".join(
        (
            _size(result),
            by_name("method", methods, _RATES),
            *_alike(result),
            "What an edit takes, the fit included:",
            by_name("method", methods, _COSTS),
            "Perfect edits at the automatic strength, by kind of edit:",
            _by_kind(result, "perfect_auto"),
            "The same at the best strength of each case:",
            _by_kind(result, "perfect_best"),
            _ceiling(result["ceiling"]),
            _environment(result["environment"]),
            *_earlier(result),
        )
    )


def brief(result: Mapping[str, Any]) -> str:
    """Return the table for those in a hurry, the best method first."""
    methods = result["methods"]
    order = sorted(methods, key=lambda name: methods[name]["perfect_auto"], reverse=True)
    best_first = by_name("method", _quoted({name: methods[name] for name in order}), _BRIEF)
    names = ("imagic_lora", "full_unet")
    if len({methods[name]["cases"] for name in names}) == 1:
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
    """Return what was tried on the `tune` split."""
    rows = (
        (f"`{name}`", one["settings"], *(cell(one) for cell in _RATED.values()))
        for name, candidates in result["methods"].items()
        for one in candidates
    )
    return table(("method", "settings", *_RATED), rows)


def search(result: Mapping[str, Any]) -> str:
    """Return the recipe with one setting changed at a time."""
    rates = by_name("", {one["variant"]: one for one in result["variants"]}, _RATED)
    return f"{rates}\n\n{_environment(result['environment'])}"


def captions(result: Mapping[str, Any]) -> str:
    """Return what captions are worth and which ones were found."""
    rates = by_name("caption", {one["caption"]: one for one in result["captions"]}, _RATED)
    shortest = sorted(result["found"], key=lambda one: len(one["target"]))[:_SHOWN]
    found = ((one["written"], one["target"], one["found"]) for one in shortest)
    return "\n\n".join(
        (
            rates,
            "What was found where the target is short:",
            table(("written for the picture", "target", "found in the target"), found, "l"),
            (
                f"One case is {100 / len(result['found']):.0f} points. "
                f"{_environment(result['environment'])}"
            ),
        )
    )


def automatic(result: Mapping[str, Any]) -> str:
    """Return how well the product finds the strength, on all cases and on each kind of them."""
    rates = by_name("", {"all": result["all"], **result["by_kind"]}, _FOUND)
    cases, left_out = int(result["all"]["cases"]), result["left_out"]
    misread = f"; {left_out} more, whose ideal edit the judge misreads, are left out" * bool(
        left_out
    )
    return (
        f"{rates}\n\n{cases} cases of the `{result['split']}` split, one seed{misread}. One case "
        f"is {100 / cases:.0f} points of all. {_environment(result['environment'])}"
    )


def reuse(result: Mapping[str, Any]) -> str:
    """Return one fit for all prompts against a fit for each."""
    rates = by_name("", {one["fits"]: one for one in result["fits"]}, _RATED)
    return f"{rates}\n\n{result['portraits']} portraits. {_environment(result['environment'])}"


def _quoted(methods: Mapping[str, Any]) -> dict[str, Any]:
    """Return methods by their names as code."""
    return {f"`{name}`": found for name, found in methods.items()}


def _alike(result: Mapping[str, Any]) -> Iterable[str]:
    """Yield how the methods do on the same cases, where that is not what all of them are."""
    if _shared(result) < result["cases"]:
        yield f"On the {_shared(result)} cases that every method edited:"
        yield by_name("method", _quoted(result["shared"]), _RATES)


def _shared(result: Mapping[str, Any]) -> int:
    """Return how many cases every method edited."""
    return min(int(found["cases"]) for found in result["shared"].values())


def _by_kind(result: Mapping[str, Any], rate: str) -> str:
    """Return one of the rates of each method for each kind of edit."""
    kinds = result["by_kind"]
    rows = (
        (f"`{name}`", *(percent(own.get(name, {}).get(rate)) for own in kinds.values()))
        for name in result["methods"]
    )
    return table(("method", *kinds), rows)


def _size(result: Mapping[str, Any]) -> str:
    """Return how large the run was, and how far its figures can be trusted."""
    count = result["cases"]
    cases = {name: found["cases"] for name, found in result["methods"].items()}
    counts = sorted({own for own in cases.values() if own < count}, reverse=True)
    text = f"{count} cases of the `{result['split']}` split, one seed"
    for fewer in counts:
        names = ", ".join(f"`{name}`" for name, own in cases.items() if own == fewer)
        text += f"; {names} on the first {fewer} of them, for the time that takes"
    points = (f"{100 / n:.1f}" for n in (count, *counts))
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


def _earlier(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield which methods were measured before, with which commit."""
    for commit in sorted(set(result.get("earlier", {}).values())):
        names = [f"`{name}`" for name, theirs in result["earlier"].items() if theirs == commit]
        yield f"Measured before, on the same cases, at commit {commit[:12]}: {', '.join(names)}."


def _environment(found: Mapping[str, Any]) -> str:
    """Return what the figures were measured on."""
    packages = versions(found, "torch", "diffusers")
    return f"Measured on {found['device']}, {found['cores']} cores, {packages}."
